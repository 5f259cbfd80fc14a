//! `seenby keys`: makes API keys. Only their hashes are ever kept.

use std::process::ExitCode;

use clap::Subcommand;

use super::{EXIT_USAGE, hand_over};
use crate::access::ApiKey;

const NOTES: &str = "\
The first line on standard output is the key: give it to the back end, which sends it as
`Authorization: Bearer KEY`. It is shown this once. The second is its line, `name sha256`, for
the file that `seenby serve --api-keys` names; several are valid at once, so a new key goes in
before the old one goes out. SIGHUP has the server read the file again.

Examples:
  seenby keys new chat
  seenby keys new chat | tee >(sed -n 1p > chat.key) | sed -n 2p >> api.keys

Exit codes:
  0   made
  1   made, and standard output did not take it: make another
  64  bad flags, or a name that is none";

/// What `keys` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a fresh key and the line that lets it in
    #[command(after_help = NOTES)]
    New {
        /// Whose key it is: 1 to 64 ASCII characters without spaces
        name: String,
    },
}

/// Does what was asked for.
pub(super) fn run(args: &Args) -> ExitCode {
    let What::New { name } = &args.what;
    match ApiKey::generate(name) {
        Ok(key) => hand_over(&format!("{}\n{}", key.secret(), key.line())),
        Err(what) => {
            eprintln!("seenby: {name:?} {what}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}
