"""What a Prometheus has of a server, against what the dashboard and the rules ask for: run by tests/monitoring/run.

    check.py scraped PROMETHEUS DIR   the server runs, and has had some requests
    check.py gone PROMETHEUS DIR      it has ended
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request

# Only there once a backup was made.
LATER = {"seenby_last_backup_timestamp_seconds"}
PATIENCE_S = 60


def ask(prometheus, path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def query(prometheus, expression):
    return ask(prometheus, "query", query=expression)["result"]


def wait_for(what, is_so):
    """Asks until it is so; a Prometheus that has just begun does not answer at first."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            if is_so():
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"waited in vain for {what}")


def check_dashboard(dashboard):
    """What Grafana needs of a dashboard, as far as that can be told without one; gives all expressions."""
    assert isinstance(dashboard["schemaVersion"], int) and dashboard["schemaVersion"] >= 36
    assert dashboard["title"] and dashboard["uid"] and dashboard["panels"]
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids, expressions = [], []
    for panel in dashboard["panels"]:
        name = panel["title"]
        ids.append(panel["id"])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24 and place["h"] > 0 and place["y"] >= 0, f"{name} is out of the grid"
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("stat", "timeseries"), name
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, name
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], f"{name} has no unit or no description"
        assert panel["targets"], f"{name} asks for nothing"
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), f"{name} has two targets of one name"
        expressions += [target["expr"] for target in panel["targets"]]
    assert len(set(ids)) == len(ids), "two panels have one id"
    places = [(panel["gridPos"], panel["title"]) for panel in dashboard["panels"]]
    for at, (one, title) in enumerate(places):
        for other, another in places[at + 1 :]:
            apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert apart or above, f"{title} and {another} overlap"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard)))
    assert used <= variables.keys() | {"__rate_interval", "__all"}, f"unknown variables: {used}"
    return expressions


def filled(expression):
    """An expression of the dashboard, as Grafana would send it with everything chosen."""
    return expression.replace("$__rate_interval", "30s").replace("$job", ".*").replace("$instance", ".*")


def names(text):
    return set(re.findall(r"\bseenby_[a-z0-9_]+", text))


def check_scraped(prometheus, directory):
    with open(f"{directory}/dashboard.json", encoding="utf-8") as file:
        expressions = check_dashboard(json.load(file))
    rules = lambda: [rule for group in ask(prometheus, "rules")["groups"] for rule in group["rules"]]
    wait_for("both listeners to be scraped", lambda: len(query(prometheus, 'up{job="seenby"} == 1')) == 2)
    wait_for("the rules to be evaluated", lambda: rules() and all(rule["health"] == "ok" for rule in rules()))
    # A rate needs two scrapes.
    wait_for("three scrapes", lambda: query(prometheus, 'count_over_time(up{job="seenby"}[1m]) >= 3'))
    for target in ask(prometheus, "targets")["activeTargets"]:
        assert target["health"] == "up" and not target["lastError"], target
    asked = set().union(*map(names, expressions), *(names(rule["query"]) for rule in rules()))
    known = set(ask(prometheus, "label/__name__/values"))
    missing = asked - known - LATER
    assert not missing, f"no such metric: {sorted(missing)}"
    silent = sorted(expression for expression in expressions if not query(prometheus, filled(expression)))
    # What has no value where nothing was refused, and where no backup was made.
    silent = [expression for expression in silent if "_refused_total" not in expression and not names(expression) & LATER]
    silent = [expression for expression in silent if 'status=~"5.."' not in expression]
    assert not silent, f"panels without a value: {silent}"
    ours = {name for name in known if name.startswith("seenby_")}
    unseen = sorted(name for name in ours - asked if not name.endswith(("_bucket", "_count", "_sum", "_info")))
    for label in ("route", "status", "limit", "outcome", "of", "version"):
        values = ask(prometheus, f"label/{label}/values")
        assert len(values) < 60 and all(len(value) < 80 for value in values), f"{label} has {len(values)} values"
    alerts = [alert["labels"]["alertname"] for alert in ask(prometheus, "alerts")["alerts"]]
    # The disk of the machine that runs this may be anything.
    alerts = [alert for alert in alerts if not alert.startswith("SeenbyDisk")]
    assert not alerts, f"alerts of a server that is well: {alerts}"
    print(f"{len(ours)} series names; {len(asked)} of them asked for, in {len(expressions)} targets and {len(rules())} rules")
    print("asked for by neither:", ", ".join(unseen) or "none")


def check_gone(prometheus):
    def is_seen():
        alerts = ask(prometheus, "alerts")["alerts"]
        down = [alert for alert in alerts if alert["labels"]["alertname"] == "SeenbyDown"]
        return len(down) == 2 and all(alert["state"] in ("pending", "firing") for alert in down)

    wait_for("SeenbyDown for both listeners", is_seen)
    print("SeenbyDown is pending for both listeners")


what, prometheus, directory = sys.argv[1:]
if what == "scraped":
    check_scraped(prometheus, directory)
else:
    check_gone(prometheus)
