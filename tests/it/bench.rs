//! `seenby bench`, small: it carries its measurements through, and counts what it must. Never how long anything took.

use std::{
    fs,
    process::Command,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{binary, seenby};

/// Held by tests of measurements that all take the same processor.
static PROCESSOR: Mutex<()> = Mutex::new(());

/// Runs `seenby bench ARGS`, and gives what it measured and what it printed. It leaves nothing behind.
fn bench(args: &[&str]) -> (Value, String) {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("figures.json");
    let within = dir.path().join("within");
    fs::create_dir(&within).unwrap();
    let own = ["--json", json.to_str().unwrap(), "--within", within.to_str().unwrap()];
    let mut words = vec!["bench", args[0]];
    words.extend(own);
    words.extend(&args[1..]);
    let output = seenby(&words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(fs::read_dir(&within).unwrap().count(), 0, "its directory is gone");
    let figures = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    (figures, String::from_utf8(output.stdout).unwrap())
}

#[track_caller]
fn number(figures: &Value, path: &str) -> u64 {
    figures.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {figures:#}"))
}

/// What every shape has to tell.
#[track_caller]
fn all_there(figures: &Value, shape: &str) {
    let of = |name: &str| number(figures, &format!("/shapes/{shape}/{name}"));
    for name in ["disk_most", "written", "resident_load", "resident_touch", "rosters/bytes", "disk/bytes"] {
        assert!(of(name) > 0, "{name} of {shape}");
    }
    assert!(of("disk_most") > of("rosters/bytes"));
    for part in ["rosters", "disk"] {
        let larger = of(&format!("{part}/apparent")).max(of(&format!("{part}/allocated")));
        assert!(part == "disk" || of(&format!("{part}/bytes")) >= larger, "{part} of {shape}");
    }
}

#[test]
fn readers_in_order_and_at_random_are_counted() {
    let args = ["footprint", "--messages", "300", "--members", "40", "--seed", "7"];
    let (figures, printed) = bench(&args);
    for shape in ["in-order", "random"] {
        all_there(&figures, shape);
        assert!(printed.lines().next().unwrap().contains(shape), "{printed}");
        assert_eq!(number(&figures, &format!("/shapes/{shape}/messages")), 300);
        assert_eq!(number(&figures, &format!("/shapes/{shape}/members")), 40);
        assert_eq!(number(&figures, &format!("/shapes/{shape}/conversations")), 1);
    }
    // 65 of 100 read everything, the others half of it; of 300 messages to 39 readers each.
    let in_order = number(&figures, "/shapes/in-order/marks");
    assert!((7_000..=11_700).contains(&in_order), "{in_order}");
    let random = number(&figures, "/shapes/random/marks");
    assert!((7_200..8_000).contains(&random), "{random}");

    let (again, _) = bench(&args);
    for shape in ["in-order", "random"] {
        let marks = format!("/shapes/{shape}/marks");
        assert_eq!(number(&again, &marks), number(&figures, &marks), "the same seed, the same chats");
    }
}

#[test]
fn one_large_conversation_is_measured_and_what_comes_new_to_it() {
    let args = ["footprint", "--shape", "large", "--messages", "400", "--members", "300"];
    let (figures, printed) = bench(&args);
    all_there(&figures, "large");
    assert_eq!(number(&figures, "/shapes/large/conversations"), 1);
    assert_eq!(number(&figures, "/shapes/large/messages"), 400);
    let ratio = figures.pointer("/shapes/large/up_to/ratio").and_then(Value::as_f64).unwrap();
    assert!(ratio > 0.0);
    assert!(printed.contains("up_to over 10 new and 400 read messages"), "{printed}");
}

#[test]
fn many_small_conversations_are_measured() {
    let (figures, _) = bench(&["footprint", "--shape", "small", "--messages", "500"]);
    all_there(&figures, "small");
    assert_eq!(number(&figures, "/shapes/small/conversations"), 50);
    assert_eq!(number(&figures, "/shapes/small/members"), 2);
    assert_eq!(number(&figures, "/shapes/small/messages"), 500);
    let marks = number(&figures, "/shapes/small/marks");
    assert!((200..=500).contains(&marks), "each message has one reader: {marks}");
}

#[test]
fn recorded_chats_are_measured() {
    let dir = tempfile::tempdir().unwrap();
    let chat = "0.0\tjoin\tu1\n0.0\tjoin\tu2\n0.0\tjoin\tu3\n1.0\tpost\tu1\t1\n2.0\tpost\tu2\t2\n\
                3.0\tleave\tu3\n4.0\tpost\tu1\t3\n5.0\tpost\tu2\t4\n";
    fs::write(dir.path().join("chat.tsv"), chat).unwrap();
    fs::write(dir.path().join("other.txt"), "no trace").unwrap();
    let (figures, _) = bench(&["footprint", "--shape", "traces", "--trace", dir.path().to_str().unwrap()]);
    all_there(&figures, "traces");
    assert_eq!(number(&figures, "/shapes/traces/messages"), 4);
    assert_eq!(number(&figures, "/shapes/traces/members"), 3);
    // u2 has read 1, u1 has read 2, u2 has read 3.
    assert_eq!(number(&figures, "/shapes/traces/marks"), 3);
}

#[test]
fn a_killed_server_is_started_on_a_journal_at_its_cap() {
    let (figures, _) = bench(&["start", "--messages", "1000", "--journal", "1", "--rounds", "2"]);
    let journal = number(&figures, "/journal");
    assert!((800_000..=1 << 20).contains(&journal), "{journal}");
    assert!(number(&figures, "/all/apparent") > journal);
    for name in ["ready_s", "cat_s"] {
        let times = figures[name].as_array().unwrap();
        assert!(times.len() == 2 && times.iter().all(|time| time.as_f64().unwrap() > 0.0), "{figures:#}");
    }
}

#[test]
fn days_go_by_and_leave_nothing() {
    let args = ["days", "--days", "3", "--retention-days", "1", "--day", "2s", "--messages", "100"];
    let (figures, printed) = bench(&[&args[..], &["--conversations", "2", "--members", "20"]].concat());
    let days = figures["days"].as_array().unwrap();
    assert_eq!(days.len(), 3);
    for day in days {
        for name in ["marks", "disk_mean", "disk_most", "resident_mean", "resident_most"] {
            assert!(number(day, &format!("/{name}")) > 0, "{name} in {day:#}");
        }
    }
    assert!(number(&figures, "/after/bytes") > 0);
    assert!(printed.contains("all expired, conversations deleted: "), "{printed}");
}

#[test]
fn a_server_that_nobody_calls_is_looked_at() {
    let args = ["idle", "--messages", "100", "--settle", "1s", "--for", "1s", "--"];
    let (figures, _) = bench(&[&args[..], &["--checkpoint-every", "200ms"]].concat());
    assert!(number(&figures, "/marks") > 0 && number(&figures, "/written_before") > 0);
    assert!(number(&figures, "/written") < number(&figures, "/written_before"));
}

#[test]
fn pulls_are_timed_before_a_sweep_and_in_it() {
    let _alone = PROCESSOR.lock().unwrap_or_else(PoisonError::into_inner);
    let args = ["sweep", "--messages", "100", "--live", "100", "--expire-after", "25s", "--for", "2s"];
    let (figures, printed) = bench(&args);
    for when in ["before", "sweeping"] {
        assert!(number(&figures, &format!("/{when}/pulls")) > 0);
        assert!(figures[when]["p99_ms"].as_f64().unwrap() > 0.0, "{figures:#}");
    }
    assert!(printed.contains("100 messages expired"), "{printed}");
}

#[test]
fn attacks_are_made_and_no_answered_mark_is_lost() {
    let _alone = PROCESSOR.lock().unwrap_or_else(PoisonError::into_inner);
    let small =
        ["--messages", "40", "--for", "300ms", "--rounds", "1", "--rate", "500", "--bomb-bytes", "100000"];
    let few = ["--idle-connections", "20", "--slow-connections", "10", "--busy-connections", "3"];
    let (figures, printed) = bench(&[&["attack"], &small[..], &few].concat());
    let attacks = figures["attacks"].as_object().unwrap();
    let names = [
        "idle",
        "slow-heads",
        "slow-bodies",
        "pipelining",
        "connect-flood",
        "h2-resets",
        "h2-continuation",
        "h2-pings",
        "h2-window",
        "header-bomb",
        "hpack-bomb",
        "json-bomb",
    ];
    assert_eq!(attacks.len(), names.len());
    for name in names {
        let attack = &attacks[name];
        assert!(printed.lines().any(|line| line.starts_with(name)), "{printed}");
        assert!(number(attack, "/rounds/0/undisturbed/pulls") > 0 && number(attack, "/connections") > 0);
        assert!(number(attack, "/rounds/0/sent") > 0, "{name} does nothing: {attack:#}");
        assert!(number(attack, "/rounds/0/memory/most") > 0 && number(attack, "/memory_bound") > 0);
        assert_eq!(number(attack, "/marks_lost"), 0, "{name}");
    }
    let marks: u64 = names.iter().map(|name| number(&attacks[*name], "/marks_answered")).sum();
    assert!(marks > 0);

    let (figures, _) = bench(&[&["attack", "--only", "idle"], &small[..], &few].concat());
    assert_eq!(figures["attacks"].as_object().unwrap().len(), 1);
}

#[test]
fn the_pace_is_watched_under_more_than_the_server_can_answer() {
    let _alone = PROCESSOR.lock().unwrap_or_else(PoisonError::into_inner);
    let args =
        ["pace", "--messages", "40", "--factor", "0.1", "--factor", "3", "--for", "4s", "--seek", "500ms"];
    let few = ["--gateway", "8", "--marks", "20", "--", "--poll-every", "1s", "--poll-every-max", "2s"];
    let (figures, printed) = bench(&[&args[..], &few].concat());
    let demands = figures["demands"].as_array().unwrap();
    assert_eq!(demands.len(), 2);
    assert!(number(&demands[1], "/clients") > number(&demands[0], "/clients"));
    for (demand, factor) in demands.iter().zip(["0.1x", "3x"]) {
        assert!(printed.lines().any(|line| line.starts_with(factor)), "{printed}");
        assert_eq!(demand["paces"][0][1], 1_000, "it begins at the base: {demand:#}");
        assert!(number(demand, "/answered") > 0 && number(demand, "/marks/answered") > 0);
        assert_eq!((number(demand, "/errors"), number(demand, "/marks/lost")), (0, 0), "{demand:#}");
    }
}

#[test]
fn what_cannot_be_measured_is_said() {
    let refused = |args: &[&str], code: i32, why: &str| {
        let output = Command::new(binary()).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(&["bench"], 64, "Usage");
    refused(&["bench", "footprint", "--shape", "traces"], 64, "go together");
    refused(&["bench", "footprint", "--within", "/no/such/directory"], 2, "/no/such/directory");
    refused(&["bench", "days", "--json", "/no/such/directory/x.json"], 2, "/no/such/directory/x.json");
    let dir: TempDir = tempfile::tempdir().unwrap();
    let within = dir.path().to_str().unwrap();
    let flags = ["bench", "footprint", "--messages", "20", "--within", within, "--", "--retention", "400d"];
    refused(&flags, 2, "400d");
    assert_eq!(fs::read_dir(within).unwrap().count(), 0, "its directory is gone also then");
}

#[test]
fn each_mark_is_an_event_of_a_stream_and_silent_clients_take_none() {
    let args = ["streams", "--streams", "200", "--silent", "5", "--rate", "400", "--for", "1s"];
    let (figures, printed) = bench(&args);
    for what in ["alone", "beside_silent"] {
        assert_eq!(number(&figures, &format!("/{what}/events")), number(&figures, &format!("/{what}/marks")));
        assert!(number(&figures, &format!("/{what}/marks")) > 0);
    }
    assert!(number(&figures, "/streams") > number(&figures, "/before"), "{figures:#}");
    assert!(printed.contains("200 streams; with its connection each takes"), "{printed}");
}
