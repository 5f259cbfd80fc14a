//! `seenby backup`: all that a store holds, in a file or a pipe, while its server goes on.

mod output;

use std::{
    error::Error,
    io::{self, BufWriter, IsTerminal, Read, Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use self::output::Output;
use super::{
    EXIT_USAGE, complain,
    measure::Bar,
    source::{Coming, CopyError, Place, Source},
};
use crate::store::dump::{self, DumpError, Head, Reader};

const EXAMPLES: &str = "\
Examples:
  seenby backup chat.seenby
  seenby backup --data /var/lib/seenby /backup/seenby-$(date +%F).seenby
  seenby backup - | zstd > chat.seenby.zst
  seenby backup --store valkey://10.0.0.1:7000,10.0.0.2:7000 chat.seenby
  seenby restore --data elsewhere chat.seenby

It has the state of one instant, over all conversations: every write that was answered
before it began is in it, and nothing of what came after that instant. A server that is running
goes on as ever, and hands it over on control.sock in its data directory: so run this on
its machine and as its user. If none is running, the directory is read as `seenby
check` does, and cannot be served meanwhile.

Of a cluster each conversation is as of one instant, though not all of the same one, and no
server is asked: the nodes are. What is restored from it may be a directory or a cluster.

The file is as confidential as the data: it has all names, and the secret that ETags are
made with. Only its owner may read it. It is written to FILE.part first and has its name
once it is whole, checked and on disk; a backup that fails leaves nothing. `seenby inspect
--dump FILE` looks into it, on any machine.

Exit codes:
  0   the backup is whole and on disk (of a pipe: handed over)
  1   it could not be made; the message says why
  64  bad flags, or `-` with a terminal as standard output";

/// Write all that a store holds to a file, while its server goes on taking marks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// Replace FILE if it is there; without this it is left alone
    #[arg(long)]
    force: bool,

    /// Where to: a file, a named pipe, or - for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What a backup came to.
struct Made {
    head: Head,
    bytes: u64,
}

pub(super) fn run(args: &Args) -> ExitCode {
    if args.file == Path::new("-") && stdout().is_terminal() {
        eprintln!("seenby: a backup is nothing to look at: give a file in place of -, or pipe it on");
        return ExitCode::from(EXIT_USAGE);
    }
    match back_up(args) {
        Ok(Made { head, bytes }) => {
            let Head { conversations, messages, .. } = head;
            let file = if args.file == Path::new("-") {
                "standard output".into()
            } else {
                args.file.display().to_string()
            };
            eprintln!("{file}: {conversations} conversations, {messages} messages, {bytes} bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn back_up(args: &Args) -> Result<Made, Box<dyn Error>> {
    // First what is quick to refuse.
    let mut output = Output::begin(&args.file, args.force)?;
    let mut source = Source::open(&args.place)?;
    let made = copy(source.export(None)?, &mut output, &args.file)?;
    output.end(args.force)?;
    source.kept();
    Ok(made)
}

/// Brings a dump to its end. One that comes as bytes is read as it passes, so that what is kept is known to be whole.
fn copy(coming: Coming<'_>, output: &mut Output, file: &Path) -> Result<Made, CopyError> {
    match coming {
        Coming::Bytes(bytes) => {
            let tee = Tee { input: bytes, output: Counting::new(output), failure: None };
            let mut reader = match Reader::begin(tee) {
                Ok(reader) => reader,
                Err(error) => return Err(CopyError::From(error)),
            };
            let (head, read) = (reader.head(), read_all(&mut reader));
            let tee = reader.into_input();
            if let Some(error) = tee.failure {
                return Err(CopyError::To(file.to_owned(), error));
            }
            read.map_err(CopyError::From)?;
            let bytes = tee.output.end().map_err(|error| CopyError::To(file.to_owned(), error))?;
            Ok(Made { head, bytes })
        }
        Coming::Pieces(mut export, label) => {
            let head = export.head();
            let bar = bar("backup", head);
            let written =
                dump::write(Counting::new(output), label, &mut *export, |messages| bar.add(messages));
            let written = written.map_err(|error| match error {
                DumpError::Io(error) => CopyError::To(file.to_owned(), error),
                error => CopyError::From(error),
            })?;
            let bytes = written.end().map_err(|error| CopyError::To(file.to_owned(), error))?;
            Ok(Made { head, bytes })
        }
    }
}

fn read_all(reader: &mut Reader<impl Read>) -> Result<(), DumpError> {
    let bar = bar("backup", reader.head());
    while let Some(item) = reader.next()? {
        bar.add(item.messages());
    }
    Ok(())
}

pub(super) fn bar(what: &str, head: Head) -> Bar {
    Bar::new(what, usize::try_from(head.messages).unwrap_or(usize::MAX))
}

/// Hands on what is read of it.
struct Tee<R, W> {
    input: R,
    output: W,
    /// Why it could not be handed on, to be told from why it could not be read.
    failure: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        if let Err(error) = self.output.write_all(&into[..read]) {
            self.failure = Some(error);
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(read)
    }
}

/// Counts what is written.
struct Counting<'a> {
    out: BufWriter<&'a mut Output>,
    bytes: u64,
}

impl<'a> Counting<'a> {
    fn new(out: &'a mut Output) -> Self {
        Self { out: BufWriter::with_capacity(256 << 10, out), bytes: 0 }
    }

    fn end(mut self) -> io::Result<u64> {
        self.out.flush().map(|()| self.bytes)
    }
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
