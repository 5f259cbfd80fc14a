//! The configuration as it came out, with where each value came from: a file for `--config` that says it all.
//!
//! No setting is a secret: keys stand in files of their own, which settings only name.

use std::fmt::Write;

use super::{Chosen, Config, Origin};

impl Config {
    /// Every setting with its value, as a file for `--config`. Behind each stands where it came from.
    #[must_use]
    pub fn effective(&self) -> String {
        let mut text = String::new();
        let mut group = "";
        for Chosen { setting, text: value, origin } in &self.chosen {
            if setting.group != group {
                let blank = if group.is_empty() { "" } else { "\n" };
                group = setting.group;
                let _ = writeln!(text, "{blank}# ---- {group} ----");
            }
            let origin = match origin {
                Origin::Default => "the default".to_owned(),
                Origin::File(path) => format!("from {}", path.display()),
                Origin::Variable => format!("from {}", setting.variable()),
                Origin::Flag => format!("from {}", setting.flag()),
            };
            let value = toml::Value::String(value.clone());
            let _ = writeln!(text, "{} = {value}  # {origin}", setting.name);
        }
        text
    }
}
