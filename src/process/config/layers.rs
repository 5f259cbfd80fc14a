//! The layers a value may come from: flags, variables, the file, the defaults.
//!
//! A layer holds text by setting; the strongest that says something is chosen, and only then is it read. What no
//! setting answers to is refused by name, whichever layer it stands in.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{
    SETTINGS,
    setting::{Chosen, ConfigError, Form, Origin, Setting, VARIABLE_PREFIX},
    value::{NO_SWITCH, Value},
};

/// The text of each setting that a layer has, by name.
type Layer = BTreeMap<&'static str, String>;

/// The variable that names the file, as `--config` does.
const CONFIG_VARIABLE: &str = "SEENBY_CONFIG";

/// What the command line said: one optional flag for each setting, and `--config`. For use with clap's derive.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    config: Option<PathBuf>,
    values: Layer,
}

impl Flags {
    fn read(matches: &clap::ArgMatches) -> Self {
        let value = |setting: &Setting| {
            let values: Vec<_> = matches.get_many::<String>(setting.name)?.cloned().collect();
            Some(values.join(","))
        };
        Self {
            config: matches.get_one::<PathBuf>("config").cloned(),
            values: SETTINGS.iter().filter_map(|setting| Some((setting.name, value(setting)?))).collect(),
        }
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self::read(matches))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::read(matches);
        Ok(())
    }
}

impl clap::Args for Flags {
    /// Adds the flags. None has a default of clap's: a default would look like a flag that was given, and win
    /// over the file.
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = clap::Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help(format!(
                "A TOML file with settings; keys are the flags' names with underscores [{CONFIG_VARIABLE}]"
            ));
        SETTINGS.iter().fold(command.arg(config), |command, setting| {
            let limits =
                setting.limits.map(|(least, most)| format!(" [{least} to {most}]")).unwrap_or_default();
            let default = if setting.default.is_empty() { "none" } else { setting.default };
            let help = format!("{} [default: {default}]{limits}", setting.explanation.trim_end_matches('.'));
            let flag = clap::Arg::new(setting.name)
                .long(setting.flag().trim_start_matches('-').to_owned())
                .value_name(setting.placeholder)
                .help_heading(setting.group)
                .help(help);
            command.arg(match setting.form {
                Form::One => flag.action(clap::ArgAction::Set),
                Form::List => flag.action(clap::ArgAction::Append),
                Form::Switch => flag.num_args(0..=1).require_equals(true).default_missing_value("true"),
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// The value of every setting, before it is read.
pub(super) struct Layers {
    chosen: Vec<Chosen>,
}

impl Layers {
    /// Gathers the layers. `variables` are those of the environment, ours among others.
    pub(super) fn gather(
        flags: Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let (config_variable, mut variables) = read_variables(variables)?;
        let named = match (flags.config, config_variable) {
            (Some(path), _) => Some((path, "--config")),
            (None, Some(path)) => Some((path, CONFIG_VARIABLE)),
            (None, None) => None,
        };
        let (path, mut file) = match named {
            Some((path, named_by)) => (path.clone(), read_file(&path, named_by)?),
            None => (PathBuf::new(), Layer::new()),
        };
        let mut flags = flags.values;
        let chosen = SETTINGS.iter().map(|setting| {
            let (text, origin) = if let Some(text) = flags.remove(setting.name) {
                (text, Origin::Flag)
            } else if let Some(text) = variables.remove(setting.name) {
                (text, Origin::Variable)
            } else if let Some(text) = file.remove(setting.name) {
                (text, Origin::File(path.clone()))
            } else {
                (setting.default.to_owned(), Origin::Default)
            };
            Chosen { setting, text, origin }
        });
        Ok(Self { chosen: chosen.collect() })
    }

    /// Reads the value of one setting.
    pub(super) fn read<T: Value>(&self, name: &str) -> Result<T, ConfigError> {
        let chosen = find(&self.chosen, name);
        chosen.setting.parse(&chosen.text).map_err(|problem| bad_value(chosen, problem))
    }

    /// What was chosen, in the order of the table.
    pub(super) fn into_chosen(self) -> Vec<Chosen> {
        self.chosen
    }
}

/// What was chosen for `name`.
pub(super) fn find<'a>(chosen: &'a [Chosen], name: &str) -> &'a Chosen {
    chosen.iter().find(|chosen| chosen.setting.name == name).expect("invariant: every setting is chosen")
}

/// Says that `chosen` is wrong.
pub(super) fn bad_value(chosen: &Chosen, problem: impl Into<String>) -> ConfigError {
    ConfigError::BadValue { chosen: chosen.to_string(), problem: problem.into() }
}

/// Ours among the variables, and the file that one of them may name.
fn read_variables(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Option<PathBuf>, Layer), ConfigError> {
    let mut config = None;
    let mut layer = Layer::new();
    for (variable, value) in variables {
        let Some(name) = variable.to_str().and_then(|name| name.strip_prefix(VARIABLE_PREFIX)) else {
            continue;
        };
        if variable == CONFIG_VARIABLE {
            config = Some(PathBuf::from(value));
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| variable == *setting.variable()) else {
            if is_service_link(name, &value) {
                continue;
            }
            let known = nearest(name, SETTINGS.iter().map(|setting| setting.name).chain(["config"]));
            return Err(ConfigError::UnknownVariable {
                variable: format!("{VARIABLE_PREFIX}{name}"),
                suggestion: known.map(|name| format!("{VARIABLE_PREFIX}{}", name.to_ascii_uppercase())),
            });
        };
        let text = value.into_string().map_err(|value| {
            let text = value.to_string_lossy().into_owned();
            bad_value(&Chosen { setting, text, origin: Origin::Variable }, "is not UTF-8")
        })?;
        layer.insert(setting.name, text);
    }
    Ok((config, layer))
}

/// Kubernetes tells every pod of a Service named `seenby` its address in variables that begin like ours:
/// `SEENBY_SERVICE_HOST`, `SEENBY_SERVICE_PORT…`, `SEENBY_PORT=tcp://…` and `SEENBY_PORT_7400_TCP…`.
fn is_service_link(name: &str, value: &OsString) -> bool {
    let is_url =
        value.to_str().is_some_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"));
    let numbered = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    name == "SERVICE_HOST"
        || name.starts_with("SERVICE_PORT")
        || (name == "PORT" && is_url)
        || name.strip_prefix("PORT_").is_some_and(numbered)
}

/// The settings in a file. A file that was named must be there.
fn read_file(path: &Path, named_by: &'static str) -> Result<Layer, ConfigError> {
    let bad_file = |problem: String| ConfigError::BadFile { path: path.to_owned(), named_by, problem };
    let text = fs::read_to_string(path).map_err(|error| bad_file(format!("cannot be read: {error}")))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| bad_file(format!("is no TOML: {error}")))?;
    let mut layer = Layer::new();
    for (key, value) in table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == key) else {
            let suggestion = nearest(&key, SETTINGS.iter().map(|setting| setting.name)).map(str::to_owned);
            return Err(ConfigError::UnknownKey { path: path.to_owned(), key, suggestion });
        };
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(on) if setting.form == Form::Switch => on.to_string(),
            toml::Value::Array(items)
                if setting.form == Form::List && items.iter().all(toml::Value::is_str) =>
            {
                items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => {
                let text = format!("<{}>", other.type_str());
                let chosen = Chosen { setting, text, origin: Origin::File(path.to_owned()) };
                let problem = match setting.form {
                    Form::Switch => NO_SWITCH,
                    Form::One | Form::List => "is neither a string nor a whole number",
                };
                return Err(bad_value(&chosen, problem));
            }
        };
        layer.insert(setting.name, text);
    }
    Ok(layer)
}

/// The name among `known` that is fewest typing errors away, if they are few for its length.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.replace('-', "_").to_ascii_lowercase();
    let near = known.map(|known| (typing_errors(&name, known), known));
    near.filter(|(errors, known)| *errors <= known.len().div_ceil(4)).min().map(|(_, known)| known)
}

/// The Levenshtein distance, a row of its table at a time.
fn typing_errors(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, left) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (at, right) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised_and_another_word_is_not() {
        let names = || SETTINGS.iter().map(|setting| setting.name);
        assert_eq!(nearest("retenton", names()), Some("retention"));
        assert_eq!(nearest("poll-every", names()), Some("poll_every"));
        assert_eq!(nearest("LISTNE", names()), Some("listen"));
        assert_eq!(nearest("colour", names()), None);
        assert_eq!(nearest("foo", names()), None);
        assert_eq!(typing_errors("kitten", "sitting"), 3);
    }
}
