//! `config.example.toml`: every setting with its default, commented out. A test holds the file in the repository
//! against this text.

use std::fmt::Write;

use super::{Form, SETTINGS};

const HEAD: &str = "\
# The settings of `seenby serve`, each with its default. Give the file with `--config FILE`.
#
# A flag is stronger than a variable, a variable than this file, and this file than the default.
# Durations are written 7d, 20s or 250ms; sizes 16MiB, 64KiB or in plain bytes.
#
# Made by `seenby serve --print-default-config`.
";

/// Columns of the file, the `# ` of a comment included.
const WIDTH: usize = 100;

/// The text of the example file.
#[must_use]
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            let _ = write!(text, "\n\n# ---- {group} ----\n");
        }
        text.push('\n');
        comment(&mut text, setting.explanation);
        if let Some((least, most)) = setting.limits {
            let _ = writeln!(text, "# From {least} to {most}.");
        }
        let _ = writeln!(text, "# Flag {}, variable {}.", setting.flag(), setting.variable());
        let _ = match setting.form {
            Form::One | Form::List => writeln!(text, "#{} = {:?}", setting.name, setting.default),
            Form::Switch => writeln!(text, "#{} = {}", setting.name, setting.default),
        };
    }
    text
}

/// Writes `words` as a comment, broken at blanks.
fn comment(text: &mut String, words: &str) {
    let mut line = "#".to_owned();
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
