//! `seenby generate`: man pages and completions, made of the commands and flags themselves. For whoever packages seenby.
//!
//! Hidden: a program that is installed has them beside it already.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use super::complain;

/// What `generate` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where `man` and `completions` are put
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// The date that man pages bear
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "")]
    date: String,
}

/// Writes what there is to write of `command`.
pub(super) fn run(args: &Args, command: Command) -> ExitCode {
    match write(args, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn write(args: &Args, command: Command) -> io::Result<()> {
    let completions = args.directory.join("completions");
    let man = args.directory.join("man");
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command.clone(), "seenby", &completions)?;
    }
    let source = format!("{} {}", command.get_name(), command.get_version().unwrap_or_default());
    // A page for each `help` would say what the page of the command says.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_pages(&command, &source, &args.date, &man)
}

/// A page for `command`, and one for each command below it that shows.
fn write_pages(command: &Command, source: &str, date: &str, directory: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_pages(below, source, date, directory)?;
    }
    let man = Man::new(command.clone()).source(source).manual("seenby").date(date);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_help() {
        render_notes(&notes.to_string(), &mut page)?;
    }
    fs::write(directory.join(man.get_filename()), page)
}

/// What stands below the flags in `--help`: a section for each heading such as `Examples:`, its lines broken as they are.
fn render_notes(notes: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut sections = vec![("NOTES".to_owned(), Vec::new())];
    for line in notes.lines() {
        match heading(line) {
            Some(name) => sections.push((name.to_uppercase(), Vec::new())),
            None => sections.last_mut().expect("invariant: there is the first").1.push(line),
        }
    }
    let mut roff = Roff::new();
    for (name, lines) in sections {
        let text = lines.join("\n");
        let text = text.trim_matches('\n');
        if !text.is_empty() {
            roff.control("SH", [name.as_str()]).control("nf", []);
            text.lines().for_each(|line| {
                roff.text([roman(line)]);
            });
            roff.control("fi", []);
        }
    }
    roff.to_writer(page)
}

/// A line of few words with a colon is a heading; a sentence that ends with one has more.
fn heading(line: &str) -> Option<&str> {
    line.strip_suffix(':').filter(|name| !name.starts_with(' ') && name.split(' ').count() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_become_sections_and_keep_their_lines() {
        let mut page = Vec::new();
        render_notes(
            "First\nof all:\n\nExit codes:\n  0   good\n\n  1   bad\n\nExamples:\n  seenby",
            &mut page,
        )
        .unwrap();
        let page = String::from_utf8(page).unwrap();
        let sections: Vec<_> = page.lines().filter(|line| line.starts_with(".SH")).collect();
        assert_eq!(sections, [".SH NOTES", ".SH \"EXIT CODES\"", ".SH EXAMPLES"], "{page}");
        assert!(page.contains("  0   good\n\n  1   bad\n.fi\n"), "{page}");
    }
}
