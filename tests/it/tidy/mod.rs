//! The rules of the house, held against the sources: which floor may use which, where a crate may be named, how
//! long files and functions may be, what is pinned.
//!
//! Each rule is a function from a path and a text to what it violates; it is tried on a text that breaks it.

mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::{code, functions, is_named, names_below, product, supers};

/// What each floor may use. Dependencies point down only, and the wire never meets the store. Tests inside the
/// sources are free.
const FLOORS: [(&str, &[&str]); 9] = [
    ("cli", &["http", "access", "client", "process", "receipts", "store", "wire", "domain"]),
    ("http", &["access", "process", "receipts", "wire", "domain"]),
    ("access", &["domain"]),
    ("client", &["wire"]),
    ("process", &["receipts", "domain"]),
    ("receipts", &["store", "domain"]),
    ("store", &["domain"]),
    ("wire", &[]),
    ("domain", &[]),
];

/// Where a crate may be named, in `src`.
const PLACES: [(&str, &[&str]); 21] = [
    ("sled", &["store/embedded"]),
    ("bincode", &["store/embedded"]),
    ("redis", &["store/cluster"]),
    ("hyper", &["http", "client"]),
    ("hyper_util", &["http", "client"]),
    ("http_body_util", &["http", "client"]),
    ("jsonwebtoken", &["access"]),
    ("ed25519_dalek", &["access"]),
    ("hmac", &["access"]),
    ("sha2", &["access"]),
    ("governor", &["http/rates"]),
    ("clap", &["cli", "process/config"]),
    ("clap_complete", &["cli/generate"]),
    ("clap_mangen", &["cli/generate"]),
    ("toml", &["process"]),
    ("prometheus_client", &["process/metrics"]),
    ("indicatif", &["cli"]),
    ("plotters", &["cli/simulate"]),
    ("schemars", &["wire", "http/openapi"]),
    ("listenfd", &["process/listen"]),
    ("socket2", &["http/listener"]),
];

/// `std` only: whatever is a dependency has no place here.
const PURE: &str = "domain";

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Words that say nothing of what a file owns.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "helper", "common", "manager", "handler", "service"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of ours under `dir`, by its path from the root, in order.
fn files(dir: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(dir)) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name();
        if name == "node_modules" || name == "target" {
            continue;
        }
        let path = format!("{dir}/{}", name.to_str().unwrap());
        if entry.file_type().unwrap().is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The Rust files of the project, with their texts.
fn sources() -> Vec<(String, String)> {
    let paths = ["src", "tests", "benches", "fuzz/fuzz_targets", "packaging"].into_iter().flat_map(files);
    let rust = paths.filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.clone(), read(&path))).collect()
}

/// The floor that a path stands on, and how many modules deep; none outside the floors.
fn place(path: &str) -> Option<(&str, usize)> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let module = inside.strip_suffix("/mod").unwrap_or(inside);
    let floor = module.split('/').next()?;
    FLOORS.iter().any(|(known, _)| *known == floor).then(|| (floor, module.split('/').count()))
}

/// The code that ships.
fn product_of(path: &str, source: &str) -> String {
    if path.ends_with("/tests.rs") { String::new() } else { product(&code(source)) }
}

/// Uses of a floor that is not below.
fn floor_violations(path: &str, source: &str) -> Vec<String> {
    let Some((floor, depth)) = place(path) else { return Vec::new() };
    let below = FLOORS.iter().find(|(known, _)| *known == floor).expect("invariant: a floor").1;
    let code = product_of(path, source);
    let used = names_below(&code, "crate").into_iter();
    let upward = used.filter(|used| used != floor && !below.contains(&used.as_str()));
    let mut violations: Vec<_> = upward.map(|used| format!("{path}: {floor} uses {used}")).collect();
    if supers(&code) >= depth {
        violations.push(format!("{path}: `super` leaves the floor; write `crate`"));
    }
    violations
}

/// Crates that are named where they have no place.
fn crate_violations(path: &str, source: &str, dependencies: &[String]) -> Vec<String> {
    let Some(inside) = path.strip_prefix("src/") else { return Vec::new() };
    let code = product_of(path, source);
    let allowed = |places: &[&str]| {
        places.iter().any(|place| inside.strip_prefix(place).is_some_and(|rest| rest.starts_with(['/', '.'])))
    };
    let mut named: Vec<&str> =
        PLACES.iter().filter(|(_, places)| !allowed(places)).map(|(name, _)| *name).collect();
    if allowed(&[PURE]) {
        named.extend(dependencies.iter().map(String::as_str));
    }
    named.sort_unstable();
    named.dedup();
    named
        .into_iter()
        .filter(|name| is_named(&code, name))
        .map(|name| format!("{path}: names {name}"))
        .collect()
}

/// The crates in Cargo.toml, as they are written in code.
fn dependencies() -> Vec<String> {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let tables =
        ["dependencies", "dev-dependencies"].into_iter().filter_map(|table| manifest.get(table)?.as_table());
    tables.flat_map(|table| table.keys().map(|name| name.replace('-', "_"))).collect()
}

/// What breaks the form of a file.
fn form_violations(path: &str, source: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let stem = Path::new(path).file_stem().unwrap().to_str().unwrap();
    if EMPTY_NAMES.contains(&stem) {
        violations.push(format!("{path}: a name that says nothing"));
    }
    if !source.starts_with("//!") {
        violations.push(format!("{path}: does not open with //!"));
    }
    let lines = source.lines().count();
    if lines > FILE_LINES_MAX {
        violations.push(format!("{path}: {lines} lines"));
    }
    let code = code(source);
    for (name, line, lines) in functions(&code) {
        if lines > FUNCTION_LINES_MAX {
            violations.push(format!("{path}:{line}: {name} has {lines} lines"));
        }
    }
    let in_product = path.starts_with("src/") && stem != "tests";
    let product = product(&code);
    let mut forbid = |word: &str, why: &str| {
        for (number, line) in product.lines().enumerate().filter(|(_, line)| contains_word(line, word)) {
            violations.push(format!("{path}:{}: {word} {why}: {}", number + 1, line.trim()));
        }
    };
    forbid("todo!", "is unfinished");
    forbid("dbg!", "is left over");
    if in_product {
        forbid(".unwrap()", "says not why it cannot fail");
        if !path.starts_with("src/cli/") {
            ["println!", "print!", "eprintln!", "eprint!"]
                .into_iter()
                .for_each(|word| forbid(word, "outside cli"));
        }
    }
    violations
}

/// Errors whose words have those of their cause in them: whoever tells an error tells its causes too, so they would be
/// told twice.
fn error_violations(path: &str, source: &str) -> Vec<String> {
    let shown = ["{0}", "{source}"];
    let mut violations = Vec::new();
    let mut words = "";
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[error(") {
            words = line;
        } else if !line.starts_with("//") && !line.starts_with('#') {
            let has_cause = ["#[from]", "#[source]"].iter().any(|cause| line.contains(cause));
            if has_cause && shown.iter().any(|field| words.contains(field)) {
                violations.push(format!("{path}: an error that tells its cause: {words}"));
            }
            words = "";
        }
    }
    violations
}

#[test]
fn no_error_tells_its_cause() {
    none(sources().iter().flat_map(|(path, source)| error_violations(path, source)));
    let found = |error: &str| error_violations("a", error).len();
    assert_eq!(found("#[error(\"a: {0}\")]\n/// B.\nB(#[from] C),"), 1);
    assert_eq!(found("#[error(transparent)]\nB(#[from] C),\n#[error(\"{0}\")]\nD(String),"), 0);
}

/// Whether `word` stands in `line` with no letter before it: `println!` is not in `eprintln!`.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        word.starts_with('.') || !line[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_')
    })
}

#[track_caller]
fn none(violations: impl Iterator<Item = String>) {
    let violations: Vec<_> = violations.collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn dependencies_point_down_only() {
    none(sources().iter().flat_map(|(path, source)| floor_violations(path, source)));
}

#[test]
fn every_folder_of_the_sources_is_a_floor() {
    let floors: Vec<PathBuf> =
        fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for floor in floors.iter().filter(|path| path.is_dir()) {
        let name = floor.file_name().unwrap().to_str().unwrap();
        assert!(FLOORS.iter().any(|(known, _)| *known == name), "{name} has no place among the floors");
    }
}

#[test]
fn a_dependency_that_points_up_is_found() {
    let found = |path, source| floor_violations(path, source).len();
    assert_eq!(found("src/domain/page.rs", "use crate::store::Mark;"), 1);
    assert_eq!(found("src/store/mod.rs", "use crate::{\n    domain::Page,\n    receipts::Ledger,\n};"), 1);
    assert_eq!(found("src/http/marks.rs", "fn f() { crate::store::model::ModelStore::default(); }"), 1);
    assert_eq!(found("src/wire/marks.rs", "use super::super::domain::Page;"), 1);
    assert_eq!(found("src/client/mod.rs", "use super::http;"), 1);
    assert_eq!(found("src/store/mod.rs", "use crate::domain::Page; use super_::x; // use crate::http"), 0);
    assert_eq!(found("src/store/embedded/hot.rs", "use super::super::Store; use crate::store::Mark;"), 0);
    assert_eq!(found("src/cli/serve.rs", "use crate::{http, store::embedded};"), 0);
    assert_eq!(found("src/lib.rs", "pub mod http;"), 0);
    assert_eq!(
        found("src/http/marks.rs", "#[cfg(test)]\nmod tests { use crate::store::model::ModelStore; }"),
        0
    );
}

#[test]
fn crates_are_named_in_their_places_only() {
    let dependencies = dependencies();
    none(sources().iter().flat_map(|(path, source)| crate_violations(path, source, &dependencies)));
}

#[test]
fn a_crate_out_of_its_place_is_found() {
    let dependencies = dependencies();
    let found = |path, source| crate_violations(path, source, &dependencies).len();
    assert_eq!(found("src/store/model.rs", "use sled::Db;"), 1);
    assert_eq!(found("src/store/embedded.rs", "use sled::Db;"), 0);
    assert_eq!(found("src/store/embedded/base.rs", "use sled::Db;"), 0);
    assert_eq!(found("src/store/embedded_too/base.rs", "fn f() -> sled::Db {}"), 1);
    assert_eq!(found("src/receipts/mark.rs", "use {hyper::Body, bytes::Bytes};"), 1);
    assert_eq!(found("src/domain/id.rs", "#[derive(thiserror::Error)] struct A; use serde::Serialize;"), 2);
    assert_eq!(found("src/store/mod.rs", "#[derive(thiserror::Error)] struct A;"), 0);
}

#[test]
fn files_keep_their_form() {
    none(sources().iter().flat_map(|(path, source)| form_violations(path, source)));
}

#[test]
fn a_file_out_of_form_is_found() {
    let found = |path: &str, source: &str| form_violations(path, source).len();
    let body = |lines| format!("//! A\nfn a() {{\n{}}}\n", "b();\n".repeat(lines));
    assert_eq!(found("src/wire/mod.rs", &body(FUNCTION_LINES_MAX - 2)), 0);
    assert_eq!(found("src/wire/mod.rs", &body(FUNCTION_LINES_MAX - 1)), 1);
    let file = |lines| format!("//! A\n{}", "//\n".repeat(lines - 1));
    assert_eq!(found("src/wire/mod.rs", &file(FILE_LINES_MAX)), 0);
    assert_eq!(found("src/wire/mod.rs", &file(FILE_LINES_MAX + 1)), 1);
    assert_eq!(found("src/wire/mod.rs", "// A\n"), 1);
    assert_eq!(found("src/wire/util.rs", "//! A\n"), 1);
    assert_eq!(found("src/wire/mod.rs", "//! A\nfn a() { b.unwrap(); }\n"), 1);
    assert_eq!(found("src/wire/mod.rs", "//! A\n#[cfg(test)]\nmod tests { fn a() { b.unwrap(); } }\n"), 0);
    assert_eq!(found("src/wire/mod.rs", "//! A\nfn a() { println!(); eprintln!(); todo!(); dbg!(1); }\n"), 4);
    assert_eq!(found("src/cli/serve.rs", "//! A\nfn a() { println!(); }\n"), 0);
    assert_eq!(found("tests/it/a.rs", "//! A\nfn a() { b.unwrap(); todo!(); }\n"), 1);
}

/// `1.2.3` as numbers, to be compared.
fn version(text: &str) -> Vec<u64> {
    text.split(['.', '+', '-']).map_while(|part| part.parse().ok()).collect()
}

/// All versions of a crate in a lock file.
fn locked(lock: &str, name: &str) -> Vec<Vec<u64>> {
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let named = packages.filter(|package| package["name"].as_str() == Some(name));
    named.map(|package| version(package["version"].as_str().unwrap())).collect()
}

#[test]
fn what_must_not_move_is_pinned() {
    let lock = read("Cargo.lock");
    assert_eq!(locked(&lock, "sled"), [[0, 34, 7]], "the guards of the base were written against this one");
    assert_eq!(locked(&lock, "bincode"), [[2, 0, 1]], "the byte format of the records");
    let at_least = |name, least: &str| {
        let found = locked(&lock, name);
        assert!(!found.is_empty() && found.iter().all(|found| *found >= version(least)), "{name}: {found:?}");
    };
    at_least("crossbeam-epoch", "0.9.20");
    at_least("h2", "0.4.16");
    assert!(version("0.10.0") > version("0.9.20"));
}

/// Paths that are true on one machine only. Written in two parts, so as not to be found here.
const MACHINE_PATHS: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let here = root().to_str().unwrap();
    let lines = text.lines().enumerate();
    let found =
        lines.filter(|(_, line)| MACHINE_PATHS.iter().any(|path| line.contains(path)) || line.contains(here));
    found.map(|(number, line)| format!("{path}:{}: {line}", number + 1)).collect()
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let own = top.filter(|name| !name.starts_with("target") && name != ".git" && name != "seenby-data");
    let paths = own.flat_map(|name| if root().join(&name).is_dir() { files(&name) } else { vec![name] });
    let texts = paths.filter_map(|path| Some((fs::read_to_string(root().join(&path)).ok()?, path)));
    none(texts.flat_map(|(text, path)| machine_paths(&path, &text)));
    assert_eq!(machine_paths("a", &format!("b\n{}c", MACHINE_PATHS[0])).len(), 1);
}
