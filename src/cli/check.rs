//! `seenby check`: whether a start would find all that was answered, told without one.

use std::{error::Error, path::PathBuf, process::ExitCode};

use super::{complain, print_line, source::Scratch};
use crate::store::embedded::{self, Checked};

const EXAMPLES: &str = "\
Examples:
  seenby check
  seenby check /var/lib/seenby

It reads every byte that a start would read, and changes nothing. No server may be
using the directory. sled's part of it is copied first, into the directory for
temporary files (TMPDIR).

Exit codes:
  0   all that was answered is there
  1   something is damaged, missing or cannot be read; the message names the file
  64  bad flags";

/// Check a data directory offline: is all there that was answered?
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The data directory
    #[arg(default_value = "./seenby-data", value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match check(args) {
        Ok(checked) => {
            print_line(&told(args, &checked));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn check(args: &Args) -> Result<Checked, Box<dyn Error>> {
    let scratch = Scratch::make()?;
    Ok(embedded::check(&args.directory, scratch.inside())?)
}

fn told(args: &Args, checked: &Checked) -> String {
    let Checked { conversations, messages, pages, records, torn_bytes } = checked;
    let torn = match torn_bytes {
        0 => String::new(),
        bytes => format!(
            "; {bytes} bytes at the journal's end were never answered, and the next start cuts them off"
        ),
    };
    format!(
        "{}: whole: {conversations} conversations, {messages} messages; {pages} pages and {records} records read{torn}",
        args.directory.display()
    )
}
