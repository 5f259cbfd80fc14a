//! The real binary seen from outside: its listener for figures, its log, and `seenby top`.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use seenby::http::Server;
use serde_json::Value;

use super::{Running, output, refused, seenby, version};
use crate::harness::{free_address, wait_for};

/// One request, and the status and body of its answer.
fn ask(address: &str, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    write!(stream, "{head}\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get(address: &str, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1"))
}

/// A fresh API key; its line is in `api.keys` of the directory, and it in `api.key`.
fn key(dir: &Path) -> String {
    let made = String::from_utf8(output(&mut seenby(&["keys", "new", "chat"])).stdout).unwrap();
    let (secret, line) = made.split_once('\n').unwrap();
    fs::write(dir.join("api.keys"), line).unwrap();
    fs::write(dir.join("api.key"), secret).unwrap();
    secret.to_owned()
}

#[test]
fn figures_are_open_on_a_listener_of_their_own_and_nothing_else_is() {
    let keys = tempfile::tempdir().unwrap();
    let secret = key(keys.path());
    let figures = free_address();
    let running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0", "--metrics-listen", &figures]);
        command.arg("--api-keys").arg(keys.path().join("api.keys"));
    });
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(get(&figures, path).0, 200, "{path}");
    }
    for path in ["/v1/conversations", "/openapi.json", "/problems/bad-id", "/demo", "/"] {
        assert_eq!(get(&figures, path).0, 404, "{path}");
    }
    assert_eq!(get(&running.address, "/metrics").0, 401);
    let with_key = format!("GET /metrics HTTP/1.1\r\nAuthorization: Bearer {secret}");
    let (status, text) = ask(&running.address, &with_key);
    assert_eq!(status, 200);
    let build = format!("seenby_build_info{{version=\"{}\"}} 1\n", version());
    assert!(text.contains(&build) && text.contains("seenby_poll_every_base_seconds 2.0\n"), "{text}");
    // The machine is looked at beside the start.
    wait_for("the disk to be told", || {
        let (_, text) = get(&figures, "/metrics");
        let told = |name: &str| text.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0"));
        ["seenby_disk_free_bytes ", "seenby_disk_bytes ", "seenby_process_resident_memory_bytes "]
            .into_iter()
            .all(told)
            .then_some(())
    });
    let (status, logs) = running.stop(Signal::TERM);
    assert!(status.success(), "{logs}");
    assert!(logs.contains(&format!("figures are at http://{figures}, /metrics")), "{logs}");
    assert!(logs.contains(&format!("\"version\":\"{}\"", version())), "{logs}");
}

#[test]
fn figures_are_told_however_many_connect_and_say_nothing() {
    let figures = free_address();
    let _running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0", "--metrics-listen", &figures, "--head-timeout", "1s"]);
    });
    let _silent: Vec<_> = (0..100).map(|_| TcpStream::connect(&figures).unwrap()).collect();
    assert_eq!(get(&figures, "/metrics").0, 200);
}

#[test]
fn places_for_figures_come_free_also_where_who_has_them_goes_on_asking() {
    let figures = free_address();
    let _running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0", "--metrics-listen", &figures, "--head-timeout", "1s"]);
    });
    let mut asking: Vec<_> =
        (0..Server::FIGURES_CONNECTIONS).map(|_| TcpStream::connect(&figures).unwrap()).collect();
    wait_for("all of them to be closed", || {
        asking.retain_mut(|stream| {
            let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
            asked.is_ok() && matches!(stream.read(&mut [0; 1 << 10]), Ok(1..))
        });
        asking.is_empty().then_some(())
    });
    assert_eq!(get(&figures, "/metrics").0, 200);
}

#[test]
fn figures_are_not_for_other_machines_where_nobody_shows_a_key() {
    let said = refused(&mut seenby(&["serve", "--metrics-listen", "0.0.0.0:0"]));
    assert!(
        said.contains("metrics_listen = \"0.0.0.0:0\" (from --metrics-listen) can be reached from other"),
        "{said}"
    );
    let keys = tempfile::tempdir().unwrap();
    key(keys.path());
    let checked = output(
        seenby(&["serve", "--check-config", "--metrics-listen", "0.0.0.0:0", "--api-keys"])
            .arg(keys.path().join("api.keys")),
    );
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn the_log_has_a_line_a_request_and_the_problem_its_id() {
    let running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0", "--log", "debug"]);
    });
    let (_, problem) = get(&running.address, "/v1/conversations/lovers/receipts?message=secret&x=1");
    let (_, gone) = get(&running.address, "/nowhere-hidden");
    assert_eq!(get(&running.address, "/healthz").0, 200);
    let instance = |problem: &str| {
        let problem: Value = serde_json::from_str(problem).unwrap();
        problem["instance"].as_str().unwrap().strip_prefix("urn:seenby:request:").unwrap().to_owned()
    };
    let (id, gone_id) = (instance(&problem), instance(&gone));
    let (_, logs) = running.stop(Signal::TERM);
    let lines: Vec<Value> = logs.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
    assert_eq!(answered.len(), 3, "{logs}");
    let of = |id: &str| *answered.iter().find(|line| line["request"] == id).unwrap();
    let line = of(&id);
    assert_eq!(line["level"], "DEBUG");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["route"], "/v1/conversations/{conversation}/receipts");
    assert_eq!(line["status"], 400);
    assert_eq!(line["caller"], "anybody");
    assert_eq!(line["bytes"], problem.len());
    assert!(line["took_us"].is_u64(), "{line}");
    assert_eq!(of(&gone_id)["route"], "none");
    for word in ["lovers", "secret", "hidden", "x=1"] {
        assert!(!logs.contains(word), "{word} is in\n{logs}");
    }
}

#[test]
fn without_debug_no_request_is_in_the_log() {
    let running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0"]);
    });
    get(&running.address, "/healthz");
    let (_, logs) = running.stop(Signal::TERM);
    assert!(!logs.contains("answered"), "{logs}");
}

fn top(server: &str, more: &[&str]) -> Command {
    let mut command = seenby(&["top", "--server", server, "--every", "100ms"]);
    command.args(more);
    command
}

#[test]
fn top_shows_the_main_figures_once() {
    let running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0"]);
    });
    let shown = output(&mut top(&running.address, &["--once"]));
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    for part in [
        &format!("server       seenby {}, takes writes", version()),
        "pulls        0.0/s, - unchanged",
        "marks        0.0/s new",
        "refused      0.0/s, 0 so far",
        "streams      0 open",
        "pace         2 s, load ",
        "holds        0 messages in 0 conversations",
        "last checkpoint ",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn top_needs_an_api_key_where_there_are_keys() {
    let keys = tempfile::tempdir().unwrap();
    key(keys.path());
    let running = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0", "--api-keys"]).arg(keys.path().join("api.keys"));
    });
    let without = output(&mut top(&running.address, &["--once"]));
    assert_eq!(without.status.code(), Some(1));
    assert!(String::from_utf8(without.stderr).unwrap().contains("unauthenticated"));
    let with = output(top(&running.address, &["--once", "--api-key-file"]).arg(keys.path().join("api.key")));
    assert!(with.status.success(), "{with:?}");
}

#[test]
fn top_says_what_it_cannot_do() {
    let nobody = format!("http://{}", free_address());
    let said = output(&mut top(&nobody, &["--once"]));
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8(said.stderr).unwrap().contains("cannot look: no answer from http://127.0.0.1"));
    assert!(refused(&mut seenby(&["top", "--every", "1ms"])).contains("least allowed"));
    assert!(refused(&mut seenby(&["top", "--server", "nothing"])).contains("is not the URL of a server"));
    assert!(
        refused(&mut top(&nobody, &["--api-key-file", "/no/key"])).contains("cannot read the key in /no/key")
    );
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = empty.path().to_str().unwrap();
    let replay = &["replay", "--generate", "1", "--server", &nobody, "--key-file", empty];
    for mut command in [top(&nobody, &["--api-key-file", empty]), seenby(replay)] {
        let said = refused(&mut command);
        assert!(said.contains(&format!("{empty}: the first line of this file is empty")), "{said}");
    }
}

/// What goes on writing until it is told to end.
struct Shown(Child);

impl Shown {
    /// Waits until its output so far has `wanted` in it.
    fn says(&mut self, so_far: &mut String, wanted: &str) {
        let out = self.0.stdout.as_mut().unwrap();
        let mut bytes = [0; 4096];
        while !so_far.contains(wanted) {
            let read = out.read(&mut bytes).unwrap();
            assert!(read > 0, "it ended without {wanted:?}: {so_far}");
            so_far.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn top_waits_for_a_server_and_prints_a_line_a_look_where_there_is_no_terminal() {
    let address = free_address();
    let mut command = top(&format!("http://{address}"), &[]);
    let mut shown = Shown(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut told = [0; 32];
    shown.0.stderr.as_mut().unwrap().read_exact(&mut told).unwrap();
    assert!(told.starts_with(b"seenby: no answer from http://"), "{}", String::from_utf8_lossy(&told));
    let _running = Running::start(|command, _| {
        command.args(["--listen", &address]);
    });
    let mut text = String::new();
    shown.says(&mut text, "pulls 0.0/s  unchanged -  marks 0.0/s");
    rustix::process::kill_process(rustix::process::Pid::from_child(&shown.0), Signal::INT).unwrap();
    assert!(shown.0.wait().unwrap().success());
}

/// Needs `script`, which has a terminal.
mod with_tools {
    use super::*;

    #[test]
    #[ignore = "needs script; tests/run runs it"]
    fn on_a_terminal_top_draws_in_place_and_gives_it_back_at_q() {
        let running = Running::start(|command, _| {
            command.args(["--listen", "127.0.0.1:0"]);
        });
        let top = format!("{} top --server {} --every 100ms", env!("CARGO_BIN_EXE_seenby"), running.address);
        let modes = "stty -a | grep -o -e '-*icanon' -e ' -*echo '";
        let line = format!("{modes}; {top}; echo ended $?; {modes}");
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut shown = Shown(spawned);
        let mut text = String::new();
        shown.says(&mut text, "\x1b[?1049h\x1b[?25l");
        shown.says(&mut text, "pulls        0.0/s");
        shown.0.stdin.as_mut().unwrap().write_all(b"xq").unwrap();
        shown.says(&mut text, "\x1b[?25h\x1b[?1049l");
        shown.says(&mut text, "ended 0");
        let mut rest = String::new();
        shown.0.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        text.push_str(&rest);
        assert_eq!(text.matches("icanon").count(), 2, "{text}");
        assert!(!text.contains("-icanon") && !text.contains("-echo "), "{text}");
    }
}
