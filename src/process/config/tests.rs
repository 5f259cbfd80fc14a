//! The layers, the limits and the words of the configuration.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use clap::{Args, FromArgMatches};

use super::*;

/// Loads from flags, from variables without their prefix, and from the text of a file.
fn load(flags: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.toml");
    let mut words = vec!["serve"];
    if let Some(text) = file {
        fs::write(&path, text).unwrap();
        words.extend(["--config", path.to_str().unwrap()]);
    }
    words.extend(flags);
    let matches = Flags::augment_args(clap::Command::new("serve")).try_get_matches_from(words).unwrap();
    let flags = Flags::from_arg_matches(&matches).unwrap();
    let variables = variables.iter().map(|(name, value)| (format!("SEENBY_{name}").into(), value.into()));
    Config::load(flags, variables.chain([("PATH".into(), "/bin".into())]))
        .map_err(|error| error.to_string().replace(dir.path().to_str().unwrap(), "dir"))
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = load(&[], &[], None).unwrap();
    assert_eq!(config.data, PathBuf::from("./seenby-data"));
    assert_eq!(config.listen.to_string(), "http://127.0.0.1:7400");
    assert_eq!(config.retention(), Retention::default());
    assert_eq!(config.pace(), Pace::default());
    assert_eq!(config.poll_every_max, Duration::from_secs(10));
    assert_eq!(config.body_bytes_max, Bytes { count: 16 * 1024 * 1024 });
    assert_eq!(config.set().count(), 0);
}

#[test]
fn a_flag_is_stronger_than_a_variable_than_a_file_than_the_default() {
    let file = Some("retention = \"3d\"");
    let variables = [("RETENTION", "2d")];
    let retention = |config: Config| {
        let shown =
            config.chosen.iter().find(|chosen| chosen.setting.name == "retention").unwrap().to_string();
        (
            config.retention.as_secs() / 86_400,
            shown.split(" (from ").nth(1).unwrap().rsplit('/').next().unwrap().to_owned(),
        )
    };
    let loaded = |flags, variables, file| retention(load(flags, variables, file).unwrap());
    assert_eq!(loaded(&["--retention", "1d"], &variables, file), (1, "--retention)".to_owned()));
    assert_eq!(loaded(&[], &variables, file), (2, "SEENBY_RETENTION)".to_owned()));
    assert_eq!(loaded(&[], &[], file), (3, "file.toml: retention)".to_owned()));
    assert_eq!(loaded(&[], &[], None), (7, "the default)".to_owned()));
}

#[test]
fn a_weaker_layer_is_not_read_where_a_stronger_one_speaks() {
    assert!(
        load(&["--retention", "1d"], &[("RETENTION", "nonsense")], Some("retention = \"never\"")).is_ok()
    );
}

#[test]
fn a_bad_value_is_told_with_its_key_and_its_origin() {
    let is = |loaded: Result<Config, String>| loaded.unwrap_err();
    assert_eq!(
        is(load(&["--retention", "366d"], &[], None)),
        "retention = \"366d\" (from --retention) is more than 365d, the most allowed"
    );
    assert_eq!(
        is(load(&[], &[("POLL_EVERY", "2")], None)),
        "poll_every = \"2\" (from SEENBY_POLL_EVERY) is no duration; write a number with its unit, such as 7d, \
         20s or 250ms"
    );
    assert_eq!(
        is(load(&[], &[], Some("connections_max = 0"))),
        "connections_max = \"0\" (from dir/file.toml: connections_max) is less than 1, the least allowed"
    );
    assert_eq!(
        is(load(&[], &[], Some("log = true"))),
        "log = \"<boolean>\" (from dir/file.toml: log) is neither a string nor a whole number"
    );
    assert_eq!(
        is(load(&["--log-format", "xml"], &[], None)),
        "log_format = \"xml\" (from --log-format) is none of auto, text and json"
    );
}

#[test]
fn a_variable_that_is_not_text_is_told() {
    let bad = OsStr::from_bytes(b"\xff").to_owned();
    let error = Config::load(Flags::default(), [("SEENBY_DATA".into(), bad)]).unwrap_err();
    assert_eq!(error.to_string(), "data = \"\u{fffd}\" (from SEENBY_DATA) is not UTF-8");
}

#[test]
fn values_that_do_not_go_together_are_told() {
    assert_eq!(
        load(&["--poll-every", "11s"], &[], None).unwrap_err(),
        "poll_every_max = \"10s\" (from the default) is less than poll_every = \"11s\" (from --poll-every)"
    );
    assert!(load(&["--poll-every", "10s"], &[], None).is_ok());
    assert_eq!(
        load(&[], &[("BODIES_BYTES_MAX", "1MiB")], None).unwrap_err(),
        "bodies_bytes_max = \"1MiB\" (from SEENBY_BODIES_BYTES_MAX) is less than body_bytes_max = \"16MiB\" (from \
         the default)"
    );
    assert!(load(&["--bodies-bytes-max", "16MiB"], &[], None).is_ok());
}

#[test]
fn a_store_is_in_one_place() {
    let store = |flags: &[&str], variables: &[(&str, &str)]| load(flags, variables, None);
    let url = "valkey://a:1,b:2/chat";
    assert_eq!(
        store(&["--store", url, "--data", "d"], &[]).unwrap_err(),
        format!(
            "store = \"{url}\" (from --store) does not go with data = \"d\" (from --data): all is kept in one place or in \
             the other"
        )
    );
    let config = store(&["--store", url, "--min-replicas", "1"], &[("DATA", "/var/lib/seenby")]).unwrap();
    assert_eq!((config.store.unwrap().to_string(), config.min_replicas), (url.to_owned(), 1));
    let error = store(&["--store-user", "me"], &[]).unwrap_err();
    assert_eq!(
        error,
        "store_user = \"me\" (from --store-user) is of a cluster, and there is none; give it with --store"
    );
    for bad in ["redis://a:1", "valkey://me:secret@a:1"] {
        assert!(store(&["--store", bad], &[]).is_err(), "{bad}");
    }
}

#[test]
fn without_access_control_only_this_machine_may_connect() {
    let error = load(&["--listen", "0.0.0.0:7400"], &[], None).unwrap_err();
    assert!(error.starts_with("listen = \"0.0.0.0:7400\" (from --listen) can be reached from"), "{error}");
    for local in ["127.0.0.1:0", "[::1]:7400", "unix:/run/seenby/socket"] {
        assert!(load(&["--listen", local], &[], None).is_ok(), "{local}");
    }
}

#[test]
fn a_switch_is_on_by_its_flag_alone_or_by_true_in_any_layer() {
    let demo = |flags, variables, file| load(flags, variables, file).map(|config| config.demo);
    assert_eq!(demo(&[], &[], None), Ok(false));
    assert_eq!(demo(&["--demo"], &[], None), Ok(true));
    assert_eq!(demo(&["--demo=true"], &[], None), Ok(true));
    assert_eq!(demo(&[], &[("DEMO", "true")], None), Ok(true));
    for file in ["demo = true", "demo = \"true\""] {
        assert_eq!(demo(&[], &[], Some(file)), Ok(true), "{file}");
        assert_eq!(demo(&[], &[("DEMO", "false")], Some(file)), Ok(false), "{file}");
    }
    for file in ["demo = false", "demo = \"false\""] {
        assert_eq!(demo(&[], &[], Some(file)), Ok(false), "{file}");
    }
    assert_eq!(demo(&["--demo=false"], &[("DEMO", "true")], Some("demo = true")), Ok(false));
    assert_eq!(demo(&["--demo"], &[("DEMO", "false")], Some("demo = false")), Ok(true));
    // The flag takes nothing but what stands behind its `=`.
    assert_eq!(
        load(&["--demo", "--retention", "1d"], &[], None).unwrap().retention,
        Duration::from_hours(24)
    );
}

#[test]
fn a_switch_is_true_or_false_and_nothing_like_it() {
    let refused = |loaded: Result<Config, String>, chosen: &str| {
        assert_eq!(loaded.unwrap_err(), format!("demo = {chosen} is neither true nor false"));
    };
    for bad in ["", "1", "yes", "True", " true", "true,true"] {
        let (flag, file) = (format!("--demo={bad}"), format!("demo = {bad:?}"));
        refused(load(&[&flag], &[], None), &format!("{bad:?} (from --demo)"));
        refused(load(&[], &[("DEMO", bad)], None), &format!("{bad:?} (from SEENBY_DEMO)"));
        refused(load(&[], &[], Some(&file)), &format!("{bad:?} (from dir/file.toml: demo)"));
    }
    for (bad, shown) in [("1", "1"), ("1.0", "<float>"), ("[true]", "<array>"), ("[\"true\"]", "<array>")] {
        let file = format!("demo = {bad}");
        refused(load(&[], &[], Some(&file)), &format!("\"{shown}\" (from dir/file.toml: demo)"));
    }
}

#[test]
fn the_demo_is_for_servers_without_keys_that_this_machine_alone_can_reach() {
    let why = "the demo's page acts for everybody, without a key";
    assert_eq!(
        load(&["--demo", "--api-keys", "k"], &[], None).unwrap_err(),
        format!("demo = \"true\" (from --demo) does not go with api_keys = \"k\" (from --api-keys): {why}")
    );
    assert_eq!(
        load(&[], &[("TOKEN_KEYS", "t")], Some("demo = true")).unwrap_err(),
        format!(
            "demo = \"true\" (from dir/file.toml: demo) does not go with token_keys = \"t\" (from \
             SEENBY_TOKEN_KEYS): {why}"
        )
    );
    assert!(load(&["--demo=false", "--api-keys", "k", "--listen", "0.0.0.0:7400"], &[], None).is_ok());
    assert!(load(&["--demo"], &[], Some("api_keys = \"\"")).is_ok());
    for open in ["0.0.0.0:7400", "[::]:7400", "10.0.0.1:7400"] {
        let error = load(&["--demo", "--listen", open], &[], None).unwrap_err();
        assert!(error.starts_with(&format!("listen = \"{open}\" (from --listen) can be reached")), "{error}");
    }
    for local in ["127.9.9.9:0", "[::1]:7400", "unix:/run/seenby/socket"] {
        assert!(load(&["--demo", "--listen", local], &[], None).is_ok(), "{local}");
    }
}

#[test]
fn figures_have_a_listener_of_their_own_or_none() {
    let error = load(&["--metrics-listen", "127.0.0.1:7400"], &[], None).unwrap_err();
    let expected = "metrics_listen = \"127.0.0.1:7400\" (from --metrics-listen) is the same as listen = \"127.0.0.1:7400\" (from the default)";
    assert_eq!(error, expected);
    for other in ["127.0.0.1:7401", "[::1]:7400", "unix:/run/figures"] {
        assert!(load(&["--metrics-listen", other], &[], None).is_ok(), "{other}");
    }
    assert!(load(&["--metrics-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"], &[], None).is_ok());
}

#[test]
fn what_is_no_setting_is_refused_by_name() {
    assert_eq!(
        load(&[], &[], Some("retenton = \"7d\"")).unwrap_err(),
        "dir/file.toml: there is no setting `retenton`; did you mean retention?"
    );
    assert_eq!(
        load(&[], &[], Some("[server]\nport = 1")).unwrap_err(),
        "dir/file.toml: there is no setting `server`"
    );
    assert_eq!(
        load(&[], &[("RETENTON", "7d")], None).unwrap_err(),
        "the variable SEENBY_RETENTON is no setting; did you mean SEENBY_RETENTION?"
    );
}

#[test]
fn the_variables_of_a_kubernetes_service_are_no_settings_of_ours() {
    let links = [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "7400"),
        ("SERVICE_PORT_HTTP", "7400"),
        ("PORT", "tcp://10.0.0.1:7400"),
        ("PORT_7400_TCP", "tcp://10.0.0.1:7400"),
        ("PORT_7400_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(load(&[], &links, None).is_ok());
    assert!(load(&[], &[("PORT", "8080")], None).is_err());
    assert!(load(&[], &[("PORT_NUMBER", "8080")], None).is_err());
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_toml() {
    let gone = load(&["--config", "/nowhere/file.toml"], &[], None).unwrap_err();
    assert!(gone.starts_with("/nowhere/file.toml (from --config): cannot be read: No such file"), "{gone}");
    let gone = load(&[], &[("CONFIG", "/nowhere/file.toml")], None).unwrap_err();
    assert!(gone.starts_with("/nowhere/file.toml (from SEENBY_CONFIG): cannot be read"), "{gone}");
    for bad in ["retention", "retention = \"7d\"\nretention = \"8d\""] {
        let error = load(&[], &[], Some(bad)).unwrap_err();
        assert!(error.starts_with("dir/file.toml (from --config): is no TOML: "), "{error}");
    }
}

/// The value `steps` past `limit`, in the smallest unit of its kind; none where it would be below nothing.
fn past(setting: &Setting, limit: &str, steps: i128) -> Option<String> {
    let (value, unit) = match setting.placeholder {
        "DURATION" => (Duration::parse(limit).unwrap().as_millis(), "ms"),
        "SIZE" => (Bytes::parse(limit).unwrap().count as u128, ""),
        "COUNT" => (usize::parse(limit).unwrap() as u128, ""),
        other => panic!("{other} has no limits"),
    };
    let value = i128::try_from(value).unwrap() + steps;
    (value >= 0).then(|| format!("{value}{unit}"))
}

#[test]
fn every_limit_is_allowed_and_one_past_it_is_not() {
    let limited = SETTINGS.iter().filter_map(|setting| Some((setting, setting.limits?)));
    for (setting, (least, most)) in limited {
        // What goes along with a setting must not be what stands in its way.
        let others =
            ["--poll-every=10ms", "--poll-every-max=1h", "--body-bytes-max=1KiB", "--bodies-bytes-max=64GiB"];
        let others = others.into_iter().filter(|other| !other.starts_with(&format!("{}=", setting.flag())));
        let others: Vec<_> = others.collect();
        let load = |value: &str| {
            let flag = format!("{}={value}", setting.flag());
            load(&[others.as_slice(), &[flag.as_str()]].concat(), &[], None)
        };
        let refused = |value: Option<String>, words: &str| {
            let Some(value) = value else { return };
            let error = load(&value).unwrap_err();
            assert!(error.starts_with(setting.name) && error.contains(words), "{error}");
        };
        for allowed in [least, most] {
            assert!(load(allowed).is_ok(), "{} = {allowed}", setting.name);
        }
        refused(past(setting, least, -1), &format!("less than {least}, the least"));
        refused(past(setting, most, 1), &format!("more than {most}, the most"));
    }
    let most = SETTINGS.iter().find(|setting| setting.name == "retention").unwrap().limits.unwrap().1;
    assert_eq!(Duration::parse(most).unwrap().as_secs(), Retention::LIFE_S_MAX, "as in a registration");
}

#[test]
fn the_example_says_the_defaults_and_nothing_else() {
    let example = example();
    assert!(example.lines().all(|line| line.len() <= 100), "{example}");
    assert!(load(&[], &[], Some(&example)).unwrap().set().next().is_none(), "all is commented out");
    let settings =
        example.lines().filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')));
    let settings: Vec<_> = settings.collect();
    let config = load(&[], &[], Some(&settings.join("\n"))).unwrap();
    assert_eq!(config.set().count(), SETTINGS.len());
    assert!(config.chosen.iter().all(|chosen| chosen.text == chosen.setting.default));
}
