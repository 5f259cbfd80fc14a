//! The build script: gives the program its version as `BUILT_VERSION`, `0.1.0 (5095150bb 2026-11-25)` if the commit is known.
//!
//! Only release builds look for it in git, as whatever looks is compiled anew after each commit. Elsewhere, and where there
//! is no repository, it is what the variable `BUILT_COMMIT` says (`5095150bb 2026-11-25`); without that, nothing. Neither
//! name begins with `SEENBY_`: cargo passes both on to the programs that it runs, where that is the prefix of settings.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=packaging/build.rs");
    println!("cargo::rerun-if-env-changed=BUILT_COMMIT");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = env::var("BUILT_COMMIT").ok().or_else(|| is_release.then(of_git).flatten());
    let version = env!("CARGO_PKG_VERSION");
    match commit.filter(|commit| !commit.is_empty()) {
        Some(commit) => println!("cargo::rustc-env=BUILT_VERSION={version} ({commit})"),
        None => println!("cargo::rustc-env=BUILT_VERSION={version}"),
    }
}

/// The commit that is checked out, if this is the top of a repository and not a copy inside another one.
fn of_git() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().ok()? {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        // A file that is not there would have the script run each time.
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let said = git(&["log", "-1", "--format=%H %cs"])?;
    let (hash, date) = said.split_once(' ')?;
    Some(format!("{} {date}", hash.get(..9)?))
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
