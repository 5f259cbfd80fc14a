//! `seenby generate`: what it writes is about the commands that there are. Whether man and the shells take it, is tried by
//! `tests/packages/run pages`.

use std::{fs, path::Path};

use super::{output, seenby};

/// The names of the files in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

/// The commands on the list in `seenby --help`.
fn commands() -> Vec<String> {
    let help = String::from_utf8(output(&mut seenby(&["--help"])).stdout).unwrap();
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let first = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    first.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_that_shows_has_a_page_and_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let generated = output(&mut seenby(&["generate", "--date", "2026-11-25", dir.path().to_str().unwrap()]));
    assert!(generated.status.success(), "{generated:?}");
    let commands = commands();
    assert!(commands.len() >= 7 && commands.iter().any(|name| name == "serve"), "{commands:?}");

    let pages = names(&dir.path().join("man"));
    for command in &commands {
        assert!(pages.contains(&format!("seenby-{command}.1")), "{command} is not in {pages:?}");
    }
    for page in ["seenby.1", "seenby-keys-new.1"] {
        assert!(pages.iter().any(|name| name == page), "{page} is not in {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("generate") || page.contains("help")), "{pages:?}");

    let serve = fs::read_to_string(dir.path().join("man/seenby-serve.1")).unwrap();
    let title = format!(".TH seenby-serve 1 2026-11-25 \"seenby {}", env!("CARGO_PKG_VERSION"));
    assert!(serve.contains(&title), "{}", &serve[..400]);
    for section in [".SH EXAMPLES\n", ".SH \"EXIT CODES\"\n", ".SH LIMITS\n"] {
        assert!(serve.contains(section), "{section}");
    }

    let completions = dir.path().join("completions");
    assert_eq!(names(&completions), ["_seenby", "seenby.bash", "seenby.fish"]);
    for shell in names(&completions) {
        let script = fs::read_to_string(completions.join(&shell)).unwrap();
        for word in commands.iter().map(String::as_str).chain(["poll-every"]) {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}
