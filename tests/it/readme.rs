//! The README says what is: its commands are run as they stand, and what they print is what it shows.

use std::{fs, process::Command};

use crate::harness::{Running, binary};

/// A command of a `console` block, and the lines that it prints.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    prints: Vec<String>,
}

/// The steps of all `console` blocks, in their order.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), prints: Vec::new() }),
                None => steps.last_mut().expect("a block begins with a command").prints.push(line.to_owned()),
            },
            (false, _) => {}
        }
    }
    steps
}

/// Whether `is` is as shown; `…` stands for anything.
fn matches(shown: &str, is: &str) -> bool {
    let Some((before, after)) = shown.split_once('…') else { return shown == is };
    is.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
}

#[test]
fn what_is_shown_is_compared_word_for_word() {
    assert!(matches(r#"{"a":1}"#, r#"{"a":1}"#));
    assert!(matches(r#"{"at":"…"}"#, r#"{"at":"2027"}"#));
    assert!(matches("date: …", "date: today"));
    assert!(!matches(r#"{"a":1}"#, r#"{"a":2}"#));
    assert!(!matches(r#"{"a":1}"#, r#"{"a":1} and more"#));
    assert!(!matches(r#"{"at":"…"}"#, r#"{"at":"2027","x":1}"#));
}

mod with_tools {
    use super::*;

    const END_OF_STEP: &str = "--- end of step ---";

    /// On the ports that the README names, so nothing else may listen there.
    #[test]
    #[ignore = "needs curl and ports 7400 and 7401"]
    fn the_walkthrough_prints_what_the_readme_shows() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let steps = steps(&readme);
        assert!(steps.len() >= 12, "the walkthrough is gone: {steps:?}");
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("seenby-data");
        let server = Running::start(&["--data", data.to_str().unwrap(), "--listen", "127.0.0.1:7400"]);
        assert_eq!(server.url(), "http://127.0.0.1:7400");

        // One shell for all of it, as a reader's would be; each step is told apart by a line of its own.
        let mark = format!("printf '\n%s\n' '{END_OF_STEP}'");
        let commands: Vec<_> = steps.iter().flat_map(|step| [step.command.as_str(), &mark]).collect();
        let script = commands.join(
            "
",
        );
        let own = binary();
        let path = format!("{}:{}", own.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        let run =
            bash.args(["-euc", &script]).env("PATH", path).current_dir(directory.path()).output().unwrap();
        assert!(run.status.success(), "{run:?}");
        let output = String::from_utf8(run.stdout).unwrap().replace('\r', "");
        let outputs: Vec<_> = output.split(&format!("\n{END_OF_STEP}\n")).collect();
        assert_eq!(outputs.len(), steps.len() + 1);
        for (step, output) in steps.iter().zip(outputs) {
            let output: Vec<_> = output.lines().filter(|line| !line.is_empty()).collect();
            let shown: Vec<_> = step.prints.iter().filter(|line| !line.is_empty()).collect();
            let same = output.len() == shown.len()
                && output.iter().zip(&shown).all(|(is, shown)| matches(shown, is));
            assert!(same, "$ {}\nprints {output:#?}\nand the README shows {shown:#?}", step.command);
        }
    }
}
