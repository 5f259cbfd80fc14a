//! What the fuzzers found worth keeping, run as an ordinary test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use seenby::{
    access,
    domain::{Limits, Pace, Retention},
    http::{self, HttpLimits, Server},
    process::{clock::Clock, metrics::Metrics},
    receipts::Ledger,
    store::{dump, embedded::fuzzing, model::ModelStore},
};

type Target = fn(&[u8]);

/// Each target in `fuzz/fuzz_targets`, and what it does.
const TARGETS: [(&str, Target); 6] = [
    ("credentials", access::fuzzing::credentials),
    ("dump", dump::fuzzing::dump),
    ("journal", journal),
    ("page", fuzzing::page),
    ("records", fuzzing::records),
    ("requests", requests),
];

/// A corpus is small, or nobody would have it run each time.
const FILES_MAX: usize = 60;
const FILE_BYTES_MAX: usize = 1_024;

fn journal(bytes: &[u8]) {
    fuzzing::journal(tempfile::tempdir().unwrap().path(), bytes);
}

fn requests(bytes: &[u8]) {
    let store = Arc::new(ModelStore::default());
    let ledger = Ledger::new(store, Retention::default(), Pace::default(), Limits::default());
    let clock = Clock::manual(1_800_000_000_000);
    let server = Server::new(ledger, clock, HttpLimits::default(), Arc::new(Metrics::new()));
    http::fuzzing::requests(&server, bytes);
}

fn files(of: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(of);
    let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_the_fuzzers_kept_holds() {
    for (name, target) in TARGETS {
        let corpus = files(&format!("corpus/{name}"));
        assert!((1..=FILES_MAX).contains(&corpus.len()), "{name} has {} files", corpus.len());
        for file in corpus {
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.len() <= FILE_BYTES_MAX, "{} is long", file.display());
            println!("{}", file.display());
            target(&bytes);
        }
    }
}

#[test]
fn each_target_is_run_here() {
    let names = |paths: Vec<PathBuf>| -> BTreeSet<String> {
        paths.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let here: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(files("fuzz_targets")), here);
    assert_eq!(names(files("corpus")), here);
}
