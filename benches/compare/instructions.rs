//! Instructions for each request, counted by callgrind: the same on a noisy machine as on a quiet one.
//!
//! seenby and the floor run under valgrind, and do each work once for a while, all connections at once, so that as much is
//! batched as ever. Instructions are those of user space: what the kernel does for either is not among them.

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
    let servers = Servers::start(&options.others, &folder, callgrind(&folder))?;
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

/// Prints the table.
pub(crate) fn print(counted: &[Instructions]) {
    println!("\nInstructions a request in user space, by callgrind:\n");
    println!("{:<32} {:>12} {:>12} {:>7}", "", "seenby", "bare hyper", "ratio");
    for line in counted {
        println!("{:<32} {:>12} {:>12} {:>7.2}", line.work, line.seenby, line.bare, line.ratio);
    }
}
