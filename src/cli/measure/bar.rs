//! How far a measurement is.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, nothing elsewhere.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Bar(ProgressBar);

impl Bar {
    /// For `what`, of so many steps.
    pub(in crate::cli) fn new(what: &str, steps: usize) -> Self {
        if !stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{elapsed_precise} {msg} {wide_bar} {pos}/{len} {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(steps as u64).with_style(style).with_message(what.to_owned()))
    }

    /// For what another bar tells of.
    pub(in crate::cli) fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    pub(in crate::cli) fn add(&self, steps: usize) {
        self.0.inc(steps as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
