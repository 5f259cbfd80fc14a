//! `seenby token`: signs user tokens, for trying things out. A chat signs its tokens itself, with a library of its own.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Subcommand;

use super::{EXIT_USAGE, complain, hand_over};
use crate::{
    access::{SignError, sign},
    domain::UserId,
    process::clock::Clock,
};

const NOTES: &str = "\
A token is a JWT with `sub` (the user), `exp`, `aud` = \"seenby\" and, if there are several keys,
`kid` in its header, signed with HS256 or Ed25519 (EdDSA) by a key of the JWKS that `seenby serve
--token-keys` names. A file to try out with, which is as secret as any key:

  printf '{\"keys\":[{\"kty\":\"oct\",\"kid\":\"try\",\"k\":\"%s\"}]}' \\
    \"$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '=')\" > tokens.jwks

Examples:
  seenby token sign --keys tokens.jwks --sub alice --ttl 1h

Exit codes:
  0   signed; the token is on standard output
  1   standard output did not take it
  64  bad flags, or a file with no key that can sign";

/// What `token` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a signed token for a user
    #[command(after_help = NOTES)]
    Sign {
        /// A JWKS with a key that can sign: an `oct` key, or an `OKP` key with its `d`
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,

        /// The key to sign with; the first that can if left out
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,

        /// The user
        #[arg(long, value_name = "USER", value_parser = user)]
        sub: UserId,

        /// For how long it is good
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        ttl: Duration,
    },
}

fn user(text: &str) -> Result<UserId, String> {
    UserId::new(text).map_err(|error| error.to_string())
}

/// Does what was asked for.
pub(super) fn run(args: &Args) -> ExitCode {
    let What::Sign { keys, kid, sub, ttl } = &args.what;
    let signed: Result<String, SignError> = sign(keys, kid.as_deref(), sub, *ttl, Clock::System.now());
    match signed {
        Ok(token) => hand_over(&token),
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_USAGE)
        }
    }
}
