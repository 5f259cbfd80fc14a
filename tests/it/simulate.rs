//! `seenby simulate`, small: it counts what it must, and says what it cannot do. Never how long anything took.

use std::fs;

use serde_json::Value;

use crate::harness::seenby;

/// Flags of a run of some seconds.
const SMALL: [&str; 10] =
    ["--for", "90s", "--spread", "10s", "--messages", "3", "--factor", "60", "--median", "30s"];
const STRATEGIES: [&str; 7] = [
    "nobody-asks",
    "naive-push",
    "naive-pull-1s",
    "naive-pull-10s",
    "naive-pull-60s",
    "combined",
    "proactive-pull",
];

/// Runs `seenby simulate ARGS`: what it measured, what it drew, what it printed. It leaves nothing behind.
fn simulate(args: &[&str]) -> (Value, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let (json, svg, within) =
        (dir.path().join("figures.json"), dir.path().join("figures.svg"), dir.path().join("within"));
    fs::create_dir(&within).unwrap();
    let mut words = vec!["simulate", "--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    words.extend(["--within", within.to_str().unwrap()]);
    words.extend(args);
    let output = seenby(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&within).unwrap().count(), 0, "its directories are gone");
    let figures = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    (figures, fs::read_to_string(&svg).unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[track_caller]
fn number(figures: &Value, path: &str) -> u64 {
    figures.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {figures:#}"))
}

fn strategies(group: &Value) -> &Vec<Value> {
    group["strategies"].as_array().unwrap()
}

fn strategy<'a>(group: &'a Value, name: &str) -> &'a Value {
    let found = strategies(group).iter().find(|figures| figures["strategy"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {group:#}"))
}

/// Elements of the picture open and close, and it is one.
#[track_caller]
fn is_well_formed(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('&') || text.contains(';'), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// What must hold of every group.
#[track_caller]
fn holds(group: &Value) {
    let messages = number(group, "/messages");
    let names: Vec<_> =
        strategies(group).iter().map(|figures| figures["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, STRATEGIES);
    let read = number(strategy(group, "nobody-asks"), "/sums/members_read");
    assert!(read > 0, "{group:#}");
    for figures in strategies(group) {
        assert_eq!(number(figures, "/sums/members_read"), read, "the same readers for all");
        let asked = figures["strategy"] != "nobody-asks";
        for sum in ["requests", "answers", "bytes_up", "bytes_down", "wakes"] {
            assert_eq!(number(figures, &format!("/sums/{sum}")) > 0, asked, "{sum} of {figures:#}");
        }
        assert!(figures["cpu_ms"].as_f64().unwrap() > 0.0 && number(figures, "/resident_most") > 0);
        assert_eq!(figures["messages"].as_array().unwrap().len() as u64, messages);
    }
    assert_eq!(group["push_agrees"], true);
    for message in strategy(group, "naive-push")["messages"].as_array().unwrap() {
        let (first, read) = (number(message, "/shown_first"), number(message, "/members_read"));
        assert_eq!(first + number(message, "/pushed"), read, "as many as read: {message:#}");
        assert_eq!(number(message, "/events"), number(message, "/pushed") + 1);
        assert_eq!(number(message, "/shown_last"), read);
    }
    for message in strategy(group, "proactive-pull")["messages"].as_array().unwrap() {
        let pulls: Vec<_> = message["pulls_of_looks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pulls| pulls.as_u64().unwrap())
            .collect();
        assert!(pulls.len() <= 4 && pulls.iter().all(|pulls| (1..=11).contains(pulls)), "{message:#}");
        assert_eq!(pulls.iter().sum::<u64>(), number(message, "/answers"));
    }
}

#[test]
fn strategies_are_played_side_by_side() {
    let (figures, svg, printed) = simulate(&[&["--sizes", "5,40"], &SMALL[..]].concat());
    let groups = figures["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| number(group, "/members")).collect::<Vec<_>>(), [5, 40]);
    groups.iter().for_each(holds);
    assert!(
        number(strategy(&groups[1], "combined"), "/sums/events") > 0,
        "readers come while the sender looks"
    );
    // On a timer: one at the sending, and at most one each time that it goes off.
    for (every, most) in [(1, 91), (10, 10), (60, 2)] {
        let pulls = number(strategy(&groups[1], &format!("naive-pull-{every}s")), "/sums/answers");
        assert!((3..=3 * most).contains(&pulls), "{pulls} pulls every {every} s");
    }
    is_well_formed(&svg);
    for part in ["naive push", "proactive pull", "members of the group"] {
        assert!(svg.contains(part), "{part} in {svg}");
    }
    for part in ["5 members", "40 members", "they agree", "60 times as fast", "seed 1"] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
}

#[test]
fn a_recorded_chat_is_played() {
    let dir = tempfile::tempdir().unwrap();
    let chat = dir.path().join("chat.tsv");
    let text = "0.0\tjoin\tu1\n0.0\tjoin\tu2\n0.0\tjoin\tu3\n1.0\tpost\tu1\t1\n9.0\tpost\tu2\t2\n\
                15.0\tleave\tu3\n19.0\tpost\tu1\t3\n29.0\tpost\tu2\t4\n";
    fs::write(&chat, text).unwrap();
    let flags = ["--posts", "3", "--for", "60s", "--factor", "60", "--looks", "1"];
    let (figures, svg, printed) = simulate(&[&["--trace", chat.to_str().unwrap()], &flags[..]].concat());
    let group = &figures["groups"][0];
    holds(group);
    // u2 has read 1, u1 has read 2, u2 has read 3.
    assert_eq!(number(strategy(group, "naive-push"), "/sums/members_read"), 3);
    assert_eq!(number(group, "/members"), 3);
    assert!(printed.contains("chat: 3 members, 3 messages"), "{printed}");
    is_well_formed(&svg);
}

#[test]
fn a_strategy_alone_is_played_against_the_baseline() {
    let flags = ["--sizes", "10", "--strategy", "naive-pull", "--pull-every", "5s"];
    let (figures, _, _) = simulate(&[&flags[..], &SMALL[..]].concat());
    let group = &figures["groups"][0];
    let names: Vec<_> =
        strategies(group).iter().map(|figures| figures["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, ["nobody-asks", "naive-pull-5s"]);
    assert_eq!(group["push_agrees"], Value::Null);
}

#[test]
fn what_cannot_be_simulated_is_said() {
    let refused = |args: &[&str], code: i32, why: &str| {
        let output = seenby(&[&["simulate"], args].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(&["--reach", "1.5"], 64, "--reach");
    refused(&["--factor", "0"], 64, "--factor");
    // Before anything is played: the default takes minutes.
    refused(&["--json", "/no/such/directory/x.json"], 2, "/no/such/directory/x.json");
    refused(&["--svg", "/no/such/directory/x.svg"], 2, "/no/such/directory/x.svg");
    refused(&["--sizes", "1"], 64, "--sizes");
    refused(&["--sizes", "3", "--messages", "4"], 64, "--messages");
    refused(&["--look-min", "9s", "--look-max", "8s"], 64, "--look-min");
    refused(&["--pull-every", "1ms"], 64, "--pull-every");
    refused(&["--strategy", "telepathy"], 64, "telepathy");
    refused(&["--posts", "3"], 64, "--trace");
    refused(&["--trace", "/no/such/chat.tsv"], 2, "/no/such/chat.tsv");
    refused(&["--within", "/no/such/directory", "--sizes", "5"], 2, "/no/such/directory");
}
