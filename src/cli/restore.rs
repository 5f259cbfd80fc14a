//! `seenby restore`: a data directory made of a backup.

mod gate;
mod target;

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufReader, IsTerminal, Read, Seek},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use tokio::runtime::Runtime;

use self::{
    gate::{Gate, Gated},
    target::Target,
};
use super::{
    EXIT_USAGE,
    backup::bar,
    complain,
    source::{BadDump, Place},
};
use crate::{
    process::{clock::Clock, etag_key},
    store::{
        cluster,
        dump::{DumpError, Head, Label, Reader},
        embedded,
    },
};

const EXAMPLES: &str = "\
Examples:
  seenby restore chat.seenby
  seenby restore --data /var/lib/seenby /backup/seenby-2027-01-31.seenby
  zstd -dc chat.seenby.zst | seenby restore --data elsewhere -
  seenby serve --data elsewhere
  seenby restore --store valkey://10.0.0.1:7000,10.0.0.2:7000/chat chat.seenby

The directory must be empty, or not be there. A file is read and checked to its end before
anything is written; from a pipe it is checked as it comes. One that is cut, damaged or of a
newer version is refused, and the directory is as it was. All is made inside it, in
`restore.new`, and moved to its place in the end. Ctrl-C and SIGTERM leave the directory as it
was, too; one that was killed is refused by `seenby serve`, and restored to anew by `seenby
restore`.

Of a cluster the prefix must be empty, and no server may be using it.

Run this as the user that the server runs as. Every pull is answered as it was when the
backup was taken, with the same ETag. What has expired since is unknown from the start, and
the server's first sweep gives up its room.

Exit codes:
  0   the directory holds all of the backup, and is on disk
  1   it could not be restored, and the directory is as it was; the message says why
  64  bad flags, or `-` with a terminal as standard input
  129, 130, 143  ended by a signal (SIGHUP, SIGINT, SIGTERM), and the directory is as it was";

/// Make a data directory of a backup.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// The backup: a file, a named pipe, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    if args.file == Path::new("-") && io::stdin().is_terminal() {
        eprintln!("seenby: nobody can type a backup: give a file in place of -, or pipe one in");
        return ExitCode::from(EXIT_USAGE);
    }
    match restore(args) {
        Ok(Head { conversations, messages, .. }) => {
            eprintln!("{}: {conversations} conversations, {messages} messages", args.place);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn restore(args: &Args) -> Result<Head, Box<dyn Error>> {
    let gate = Arc::new(Gate::default());
    let is_pipe = args.file == Path::new("-");
    let bad = |source: DumpError| BadDump::of(&args.file, source);
    if is_pipe {
        let input = BufReader::new(Gated::new(io::stdin(), &gate));
        return restore_to(args, &gate, &mut Reader::begin(input).map_err(bad)?);
    }
    let mut file = File::open(&args.file).map_err(|error| bad(error.into()))?;
    if fs::metadata(&args.file).is_ok_and(|file| file.is_file()) {
        check(&mut file).map_err(bad)?;
    }
    let input = BufReader::with_capacity(256 << 10, Gated::new(file, &gate));
    restore_to(args, &gate, &mut Reader::begin(input).map_err(bad)?)
}

/// Reads all of a file, and goes back to its beginning.
fn check(file: &mut File) -> Result<(), DumpError> {
    let mut reader = Reader::begin(BufReader::with_capacity(256 << 10, &mut *file))?;
    let bar = bar("check", reader.head());
    while let Some(item) = reader.next()? {
        bar.add(item.messages());
    }
    drop(reader);
    Ok(file.rewind()?)
}

/// Makes all of what `reader` has, which is inside `gate` but while it reads.
fn restore_to(args: &Args, gate: &Arc<Gate>, reader: &mut Reader<impl Read>) -> Result<Head, Box<dyn Error>> {
    if let Some(options) = args.place.cluster()? {
        return restore_to_cluster(args, &options, reader);
    }
    let target = Target::begin(&args.place.data, gate)?;
    let (head, Label { etag_key, .. }) = (reader.head(), reader.label());
    let bar = bar("restore", head);
    embedded::restore(target.making(), reader, |messages| bar.add(messages)).map_err(
        |error| match error {
            embedded::RestoreError::Dump(source) => {
                Box::new(BadDump::of(&args.file, source)) as Box<dyn Error>
            }
            error => error.into(),
        },
    )?;
    drop(bar);
    if let Some(etag_key) = etag_key {
        etag_key::keep(target.making(), etag_key)?;
    }
    target.end()?;
    Ok(head)
}

/// The same in a cluster. One that a signal ends leaves what no server opens, and the next restore removes.
fn restore_to_cluster(
    args: &Args,
    options: &cluster::Options,
    reader: &mut Reader<impl Read>,
) -> Result<Head, Box<dyn Error>> {
    let head = reader.head();
    let bar = bar("restore", head);
    let restoring = cluster::restore(options, reader, Clock::System.now(), |messages| bar.add(messages));
    Runtime::new()?.block_on(restoring).map_err(|error| match error {
        cluster::RestoreError::Dump(source) => Box::new(BadDump::of(&args.file, source)) as Box<dyn Error>,
        error => error.into(),
    })?;
    Ok(head)
}
