//! What the real binary makes of its configuration: refused by name, checked, printed.

use std::{fs, path::Path};

use rustix::process::Signal;
use seenby::process::config::example;

use super::{Running, output, refused, seenby};

#[test]
fn a_bad_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seenby.toml");
    let path = path.to_str().unwrap();
    let with = |text: &str| {
        fs::write(path, text).unwrap();
        refused(&mut seenby(&["serve", "--config", path]))
    };
    assert!(
        with("poll_for = 20").contains(&format!("poll_for = \"20\" (from {path}: poll_for) is no duration"))
    );
    assert!(
        with("pol_for = \"20s\"")
            .contains(&format!("{path}: there is no setting `pol_for`; did you mean poll_for?"))
    );
    assert!(with("poll_for = ").contains(&format!("{path} (from --config): is no TOML")));
    fs::remove_file(path).unwrap();
    let said = refused(&mut seenby(&["serve", "--config", path]));
    assert!(said.contains(&format!("{path} (from --config): cannot be read")), "{said}");
}

#[test]
fn the_configuration_can_be_checked_without_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let keys = dir.path().join("api.keys");
    fs::write(&keys, "no key\n").unwrap();
    let (data, keys) = (data.to_str().unwrap(), keys.to_str().unwrap());
    let good = output(&mut seenby(&["serve", "--check-config", "--data", data]));
    assert!(good.status.success());
    assert_eq!(String::from_utf8(good.stdout).unwrap(), "the configuration is good\n");
    assert!(refused(&mut seenby(&["serve", "--check-config", "--poll-for", "20"])).contains("no duration"));
    let said = refused(&mut seenby(&["serve", "--check-config", "--api-keys", keys]));
    assert!(said.contains("(from --api-keys)"), "{said}");
    assert!(!Path::new(data).exists(), "nothing was made");
    for bad in [keys.to_owned(), format!("{keys}/below")] {
        let said = refused(&mut seenby(&["serve", "--check-config", "--data", &bad]));
        assert!(said.starts_with(&format!("seenby: cannot open the data directory {bad}: ")), "{said}");
    }
    assert!(refused(&mut seenby(&["serve", "--check-config", "--print-config"])).contains("cannot be used"));
    let server = Running::start(|command, _| {
        command.args(["--listen", "127.0.0.1:0", "--data", data]);
    });
    assert!(output(&mut seenby(&["serve", "--check-config", "--data", data])).status.success());
    let (_, logs) = server.stop(Signal::TERM);
    assert!(!logs.contains("ERROR"), "{logs}");
}

#[test]
fn the_configuration_is_printed_with_where_it_came_from_and_can_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seenby.toml");
    fs::write(&path, "retention = \"3d\"\nstreams_max = 5\n").unwrap();
    let path = path.to_str().unwrap();
    let printed = output(
        seenby(&["serve", "--print-config", "--config", path, "--data", "a \"b\""])
            .env("SEENBY_POLL_EVERY", "3s"),
    );
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    for line in [
        "data = 'a \"b\"'  # from --data".to_owned(),
        format!("retention = \"3d\"  # from {path}"),
        format!("streams_max = \"5\"  # from {path}"),
        "poll_every = \"3s\"  # from SEENBY_POLL_EVERY".to_owned(),
        "poll_for = \"20s\"  # the default".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}\n{printed}");
    }
    fs::write(path, &printed).unwrap();
    let again = output(&mut seenby(&["serve", "--print-config", "--config", path])).stdout;
    let values = |text: &str| {
        text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&String::from_utf8(again).unwrap()), values(&printed));
}

#[test]
fn the_example_in_the_repository_is_what_the_binary_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    let committed = fs::read_to_string(path).unwrap();
    assert_eq!(
        committed,
        example(),
        "make it anew: seenby serve --print-default-config > config.example.toml"
    );
    let printed = output(&mut seenby(&["serve", "--print-default-config"])).stdout;
    assert_eq!(String::from_utf8(printed).unwrap(), committed);
}
