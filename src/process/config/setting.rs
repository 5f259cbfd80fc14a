//! What a setting is: its names, its limits, where its value came from, and what can be wrong with it.

use std::{fmt, path::PathBuf};

use super::value::Value;

/// One setting, as data: flags, variables, file keys, help and the example file are made of these.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in a file; the flag and the variable are made of it.
    pub name: &'static str,
    /// What it belongs to, as a heading.
    pub group: &'static str,
    /// What it does, in a sentence or two.
    pub explanation: &'static str,
    /// The value where no layer has one, as it would be written.
    pub default: &'static str,
    /// The least and the most it may be, as they would be written.
    pub limits: Option<(&'static str, &'static str)>,
    /// What stands for a value in `--help`.
    pub placeholder: &'static str,
    /// How many values it takes, and whether a flag needs one.
    pub form: Form,
}

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With one value.
    One,
    /// With several: a flag may be given more than once, and a file may have an array. Items have no commas.
    List,
    /// On or off: a flag alone is on, and a file may have a boolean.
    Switch,
}

impl Setting {
    /// The flag: `--poll-every`.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The environment variable: `SEENBY_POLL_EVERY`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// Reads `text` and holds it against the limits. What is wrong continues a sentence.
    pub(super) fn parse<T: Value>(&self, text: &str) -> Result<T, String> {
        let value = T::parse(text)?;
        let limit = |text| T::parse(text).expect("invariant: a test reads every limit");
        match self.limits {
            Some((least, _)) if value < limit(least) => {
                Err(format!("is less than {least}, the least allowed"))
            }
            Some((_, most)) if value > limit(most) => Err(format!("is more than {most}, the most allowed")),
            _ => Ok(value),
        }
    }
}

/// What the variables of all settings begin with.
pub(super) const VARIABLE_PREFIX: &str = "SEENBY_";

/// Where a value came from, the strongest last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No layer said anything.
    Default,
    /// The file that `--config` names.
    File(PathBuf),
    /// An environment variable.
    Variable,
    /// The command line.
    Flag,
}

/// A setting's text, and where it came from.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Which setting.
    pub setting: &'static Setting,
    /// The value as it was written.
    pub text: String,
    /// Who wrote it.
    pub origin: Origin,
}

impl fmt::Display for Chosen {
    /// `retention = "7d" (from SEENBY_RETENTION)`
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, text, origin } = self;
        write!(out, "{} = {text:?} (from ", setting.name)?;
        match origin {
            Origin::Default => write!(out, "the default)"),
            Origin::File(path) => write!(out, "{}: {})", path.display(), setting.name),
            Origin::Variable => write!(out, "{})", setting.variable()),
            Origin::Flag => write!(out, "{})", setting.flag()),
        }
    }
}

/// Why there is no configuration to start with. Each message names the key and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value cannot be read or is past a limit.
    #[error("{chosen} {problem}")]
    BadValue {
        /// The key, the value as written, and its origin.
        chosen: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The file has a key that is no setting.
    #[error("{}: there is no setting `{key}`{}", path.display(), suggest(suggestion.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// A setting with nearly the same name.
        suggestion: Option<String>,
    },
    /// A variable begins like ours and is none.
    #[error("the variable {variable} is no setting{}", suggest(suggestion.as_deref()))]
    UnknownVariable {
        /// Its name.
        variable: String,
        /// A variable with nearly the same name.
        suggestion: Option<String>,
    },
    /// The file cannot be read, or is no TOML.
    #[error("{} (from {named_by}): {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The flag or the variable that named it.
        named_by: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

fn suggest(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
