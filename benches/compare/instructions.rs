//! Instructions for each request, counted by callgrind: the same on a noisy machine as on a quiet one.
//!
//! seenby and the floor run under valgrind, and do each work once for a while, all connections at once, so that as much is
//! batched as ever. Instructions are those of user space: what the kernel does for either is not among them.
//!
//! [`KNOWN`] has what the paths that matter take of seenby: with `--hold`, a run fails that counts otherwise, so that nobody
//! makes them dearer unseen.

use std::{
    error::Error,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde::Serialize;

use crate::{
    Options, Others, load,
    work::{self, Part, Servers, Subject},
};

/// Instructions a request, as counted last: built for x86-64 without flags of one's own, under Debian 12's valgrind.
/// To renew them, run `cargo bench --bench compare -- --only instructions` on a quiet machine and put its figures here,
/// with what made them others in the commit's message.
const KNOWN: [(&str, u64); 4] = [
    ("pull of 1, unchanged (304)", 16_400),
    ("pull of a screen of 20, changed", 47_000),
    ("mark of one message", 30_200),
    ("mark of 20 messages", 53_600),
];

/// By how much a count may differ: fewer marks go together on a busy machine, and compilers differ.
const TOLERANCE: f64 = 0.10;

/// A checkpoint comes by time, by size or for want of memory, and would be in one run and not in another.
const NO_CHECKPOINT: [&str; 6] =
    ["--checkpoint-every", "12h", "--journal-bytes-max", "64GiB", "--hot-bytes-max", "64GiB"];

/// How long each work goes on: some thousand requests.
const EACH: Duration = Duration::from_secs(4);

/// Of one work.
#[derive(Debug, Serialize)]
pub(crate) struct Instructions {
    work: &'static str,
    seenby: u64,
    bare: u64,
    ratio: f64,
}

/// What a program runs under so that its instructions are counted.
fn callgrind(folder: &Path) -> Vec<OsString> {
    let out = format!("--callgrind-out-file={}/%p.callgrind", folder.display());
    ["valgrind", "--tool=callgrind", "--quiet", &out].into_iter().map(OsString::from).collect()
}

/// Counts all works of the parts asked for; none where there is no valgrind.
pub(crate) async fn measure(options: &Options, folder: &Path) -> Result<Vec<Instructions>, Box<dyn Error>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("left out: instructions, which need valgrind");
        return Ok(Vec::new());
    }
    eprintln!("instructions: setting up under valgrind, which takes its time");
    let folder = folder.join("instructions");
    fs::create_dir(&folder)?;
    let options = Options {
        others: Others::default(),
        only: vec![Part::Pulls, Part::Marks],
        rounds: 1,
        seconds: EACH.as_secs_f64(),
        ..options.clone()
    };
    let servers = Servers::start(&options.others, &folder, callgrind(&folder), &NO_CHECKPOINT)?;
    let mut counted = Vec::new();
    for work in work::prepare(&servers, &options).await? {
        eprintln!("instructions: {}", work.name);
        let (mut seenby, mut bare) = (0, 0);
        for side in &work.sides {
            let pid = side.server.pid();
            control("--zero", pid)?;
            let requests = load::drive(side, EACH).await?.requests;
            control("--dump", pid)?;
            let each = total(&folder, pid)? / requests.max(1);
            *if side.subject == Subject::Seenby { &mut seenby } else { &mut bare } = each;
        }
        let ratio = load::float(seenby) / load::float(bare);
        counted.push(Instructions { work: work.name, seenby, bare, ratio });
    }
    Ok(counted)
}

fn control(what: &str, pid: u32) -> Result<(), Box<dyn Error>> {
    let said = Command::new("callgrind_control").args([what, &pid.to_string()]).output()?;
    if said.status.success() {
        return Ok(());
    }
    Err(format!("callgrind_control {what}: {}", String::from_utf8_lossy(&said.stdout)).into())
}

/// What the latest dump of a process adds up to: it has a file for each, numbered, which then goes.
fn total(folder: &Path, pid: u32) -> Result<u64, Box<dyn Error>> {
    let name = format!("{pid}.callgrind");
    let dumps = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let is_dump =
        |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&name));
    let mut sum = 0;
    for dump in dumps.filter(is_dump) {
        let text = fs::read_to_string(&dump)?;
        let totals =
            text.lines().filter_map(|line| line.strip_prefix("totals: ")?.trim().parse::<u64>().ok());
        sum += totals.sum::<u64>();
        fs::remove_file(dump)?;
    }
    Ok(sum)
}

/// Holds the counts to what is known.
pub(crate) fn check(counted: &[Instructions]) -> Result<(), String> {
    let differs = |&(work, known): &(&str, u64)| match counted.iter().find(|line| line.work == work) {
        None => Some(format!("{work}: not counted")),
        Some(line) if (load::float(line.seenby) / load::float(known) - 1.0).abs() > TOLERANCE => {
            Some(format!("{work}: {} instructions, and {known} are known", line.seenby))
        }
        Some(_) => None,
    };
    let differ: Vec<_> = KNOWN.iter().filter_map(differs).collect();
    if differ.is_empty() {
        return Ok(());
    }
    let differ = differ.join("\n");
    Err(format!(
        "{differ}\nmore is a regression; less, or more with a reason: renew KNOWN in benches/compare/instructions.rs"
    ))
}

/// Prints the table.
pub(crate) fn print(counted: &[Instructions]) {
    println!("\nInstructions a request in user space, by callgrind:\n");
    println!("{:<32} {:>12} {:>12} {:>7}", "", "seenby", "bare hyper", "ratio");
    for line in counted {
        println!("{:<32} {:>12} {:>12} {:>7.2}", line.work, line.seenby, line.bare, line.ratio);
    }
}
