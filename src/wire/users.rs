//! Bodies of the calls on users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `PUT` and `GET /v1/users/{u}/privacy`, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// Whether the user counts in receipts.
    pub receipts: Switch,
}

/// Whether something is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", rename_all = "lowercase")]
#[schemars(!try_from)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl TryFrom<String> for Switch {
    type Error = &'static str;

    /// From a string alone: by itself serde also takes `{"on": null}`.
    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.as_str() {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err("expected \"on\" or \"off\""),
        }
    }
}
