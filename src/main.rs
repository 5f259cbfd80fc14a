//! The `seenby` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    seenby::cli::main(std::env::args_os())
}
