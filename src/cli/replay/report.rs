//! What a replay tells: how far it is, what it did, what differs.

use std::{
    io::{IsTerminal, stderr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use indicatif::{ProgressBar, ProgressStyle};

use super::Play;
use crate::client::Retry;

/// Something that the server says and must not, or must and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) conversation: String,
    pub(super) what: String,
}

/// What was done, over all conversations.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) marks: AtomicU64,
    pub(super) pulls: AtomicU64,
    pub(super) pulls_unchanged: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A bar on a terminal, nothing elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of so many steps.
    pub(super) fn new(steps: usize) -> Self {
        if !stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::new(steps as u64).with_style(style) }
    }

    pub(super) fn add(&self, steps: usize) {
        self.bar.inc(steps as u64);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Prints the summary, with what was `done` unless it was only compared, and every difference.
pub(super) fn print(plays: &[Arc<Play>], done: Option<(&Counts, &Retry)>, differences: &[Difference]) {
    let sum = |of: fn(&Play) -> usize| plays.iter().map(|play| of(play)).sum::<usize>();
    let messages = sum(|play| play.expected.messages.len());
    let users = sum(|play| play.expected.users.len());
    let receipts = sum(|play| play.expected.messages.iter().map(|message| message.readers.len()).sum());
    println!("conversations     {} with {users} users", plays.len());
    println!("messages          {messages} with {receipts} receipts");
    if let Some((counts, retry)) = done {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!("marks             {}", of(&counts.marks));
        println!(
            "pulls             {}, of them {} answered 304",
            of(&counts.pulls),
            of(&counts.pulls_unchanged)
        );
        println!("calls sent again  {}", retry.calls_retried());
    }
    println!("differences       {}", differences.len());
    for Difference { conversation, what } in differences {
        println!("{conversation}: {what}");
    }
}
