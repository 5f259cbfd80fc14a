//! The commands: what each takes, and which exit code it ends with.
//!
//! One file a command, each with an `Args` for clap and a `run`. Standard output is for what was asked for;
//! everything else goes to standard error.

mod backup;
mod bench;
mod caller;
mod check;
mod exposition;
mod generate;
mod healthcheck;
mod inspect;
mod interrupt;
mod keys;
mod measure;
mod replay;
mod restore;
mod serve;
mod simulate;
mod source;
mod token;
mod top;
pub mod trace;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

/// Bad flags, variables or configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

#[derive(Debug, Parser)]
#[command(
    name = "seenby",
    version = env!("BUILT_VERSION"),
    about = "A read-receipt server: who has read a message, at any group size, without a receipt storm",
    after_help = "Try `seenby serve`, then `curl http://127.0.0.1:7400/healthz`. \
                  `seenby COMMAND --help` explains a command, its examples and its exit codes."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve receipts over HTTP
    Serve(serve::Args),
    /// Ask a server whether it can take writes
    Healthcheck(healthcheck::Args),
    /// Make API keys for the chat's back end
    Keys(keys::Args),
    /// Sign user tokens, for trying things out
    Token(token::Args),
    /// Act recorded or made-up group chats out against a server, and compare all of their receipts
    Replay(replay::Args),
    /// Play the ways to bring receipts to senders side by side, and compare what each costs and how fresh it is
    Simulate(simulate::Args),
    /// Write all that a store holds to a file, while its server goes on taking marks
    Backup(backup::Args),
    /// Make a data directory of a backup
    Restore(restore::Args),
    /// Look into a store or a backup: sizes, a conversation, a message
    Inspect(inspect::Args),
    /// Show the main figures of a server that runs, live
    Top(top::Args),
    /// Check a data directory offline: is all there that was answered?
    Check(check::Args),
    /// Measure what a server takes of this machine: disk, memory, starts
    Bench(bench::Args),
    /// Write man pages and completions for shells into a directory
    #[command(hide = true)]
    Generate(generate::Args),
}

/// Runs the command line `words`, the program's name first.
#[must_use]
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; neither has anybody to tell when it cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Healthcheck(args) => healthcheck::run(args),
        Command::Keys(args) => keys::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Generate(args) => generate::run(&args, Cli::command()),
    }
}

/// Writes a line to standard output at once. Whoever started the process may have closed it.
fn print_line(line: &str) {
    if let Err(error) = write_line(line) {
        tracing::warn!(%error, "cannot write to standard output");
    }
}

/// Writes what was asked for to standard output, and says how that went: what did not arrive was not made.
fn hand_over(text: &str) -> ExitCode {
    match write_line(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seenby: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_line(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Says on standard error why the process ends.
fn complain(error: &dyn std::error::Error) {
    eprintln!("seenby: {}", told(error));
}

/// What an error says, and then what its causes do.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
