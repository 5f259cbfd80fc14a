//! Logs: what is logged, and how it is written. They go to standard error; standard output is for the ready line.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Which events are logged: a level, or directives such as `warn,seenby::store=debug`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFilter {
    text: String,
}

impl LogFilter {
    /// Reads a filter. What is wrong with it continues a sentence.
    pub fn new(text: &str) -> Result<Self, String> {
        // A bare word that is no level would be read as the name of a part, to be logged in full: `inof`, say.
        let level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        let vague = |part: &&str| part.ends_with('=') || (!part.contains('=') && !level(part.trim()));
        if let Some(part) = text.split(',').find(vague) {
            return Err(format!(
                "has {part:?}, which is neither a level (off, error, warn, info, debug, trace) nor part=level"
            ));
        }
        match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(Self { text: text.to_owned() }),
            Err(error) => Err(format!("is no filter: {error}")),
        }
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// A line an event, for people.
    Text,
    /// A JSON object an event, for programs.
    Json,
}

/// Logs from here on. Does nothing if the process logs already.
pub fn start(filter: &LogFilter, format: LogFormat) {
    let filter = EnvFilter::builder().parse(&filter.text).expect("invariant: read before");
    let terminal = io::stderr().is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Said where the log itself could not be written, it would panic: no log is worth the server.
        .log_internal_errors(false)
        .with_ansi(terminal && !plain);
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let started = if json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.try_init()
    };
    if started.is_err() {
        tracing::debug!("logging already");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_and_parts_with_levels() {
        for good in ["info", "WARN", "off", "warn,seenby::store=debug", "seenby=trace,info"] {
            assert!(LogFilter::new(good).is_ok(), "{good}");
        }
        for bad in ["", "inof", "seenby", "info,", "seenby=loud", "seenby::store=", "=info,x"] {
            assert!(LogFilter::new(bad).is_err(), "{bad:?}");
        }
    }
}
