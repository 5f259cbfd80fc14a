//! What one writer's conversations must show: all that was answered, and of the write that was on its way all or
//! nothing.
//!
//! The model is asked the same at the same time. At which instant between question and answer the server looked at its
//! clock is not known; where that makes a difference there are several candidates, until an answer tells.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use seenby::{
    domain::{ExpiresAt, Limits, Pace, Retention, Timestamp},
    process::clock::Clock,
    receipts::Ledger,
    store::model::ModelStore,
};
use serde_json::Value;

use super::{
    op::Op,
    shown::{Shown, shown_by},
};
use crate::store::conversation;

/// More than this and they are not told apart by anything any more.
const CANDIDATES_MAX: usize = 64;

pub(super) fn now() -> Timestamp {
    Clock::System.now()
}

pub(super) fn rfc3339(at: ExpiresAt) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at.unix_s);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Instants, one of each kind, between two: what is live changes with the second, and ends are rounded up to it.
pub(super) fn instants(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let seconds = from.unix_ms / 1_000..=to.unix_ms / 1_000;
    let turns = seconds.flat_map(|second| [second * 1_000, second * 1_000 + 1]);
    let inside = turns.filter(|turn| (from.unix_ms + 1..=to.unix_ms).contains(turn));
    std::iter::once(from.unix_ms).chain(inside).map(|unix_ms| Timestamp { unix_ms }).collect()
}

/// A state that the conversations may be in, with what led there.
struct Candidate {
    store: Arc<ModelStore>,
    ledger: Ledger,
    done: Vec<(Op, Timestamp)>,
}

impl Candidate {
    async fn after(done: Vec<(Op, Timestamp)>) -> Self {
        let store = Arc::new(ModelStore::default());
        let ledger = Ledger::new(store.clone(), Retention::default(), Pace::default(), Limits::default());
        for (op, at) in &done {
            op.judge(&ledger, *at).await;
        }
        Self { store, ledger, done }
    }

    async fn again(&self) -> Self {
        Self::after(self.done.clone()).await
    }

    async fn take(&mut self, op: &Op, at: Timestamp) -> Value {
        let answer = op.judge(&self.ledger, at).await;
        match op {
            Op::End(c) => {
                let done = std::mem::take(&mut self.done).into_iter();
                self.done = done.filter_map(|(op, at)| Some((op.without(c)?, at))).collect();
            }
            _ => self.done.push((op.clone(), at)),
        }
        answer
    }

    /// All there is to it, in text, once what has expired is out of the way. Generations only have to differ.
    async fn inside(&self, at: Timestamp) -> String {
        self.ledger.sweep(at).await.unwrap();
        let text = format!("{:?}", self.store);
        let parts = text
            .split("eneration")
            .map(|part| part.trim_start_matches(|char: char| "s: (".contains(char) || char.is_ascii_digit()));
        parts.collect()
    }
}

/// The candidates; there is always one.
pub(super) struct Judge {
    conversations: Vec<String>,
    candidates: Vec<Candidate>,
    ended: Option<u64>,
}

impl Judge {
    pub(super) async fn new(conversations: Vec<String>) -> Self {
        Self { conversations, candidates: vec![Candidate::after(Vec::new()).await], ended: None }
    }

    /// The write was answered like this, at one of these instants.
    pub(super) async fn answered(&mut self, op: &Op, said: &Value, instants: &[Timestamp]) {
        let mut others = Vec::new();
        for (mut candidate, at) in self.fork(instants).await {
            let answer = candidate.take(op, at).await;
            if answer == *said { self.candidates.push(candidate) } else { others.push(answer) }
        }
        assert!(!self.candidates.is_empty(), "{op:?} was answered with {said}, and not with {others:?}");
        self.merge(instants[instants.len() - 1]).await;
    }

    /// The write was not answered: it was done at one of these instants, or not at all.
    pub(super) async fn unanswered(&mut self, op: &Op, instants: &[Timestamp]) {
        let mut undone = Vec::new();
        for candidate in &self.candidates {
            undone.push(candidate.again().await);
        }
        for (mut candidate, at) in self.fork(instants).await {
            candidate.take(op, at).await;
            self.candidates.push(candidate);
        }
        self.candidates.append(&mut undone);
        self.merge(instants[instants.len() - 1]).await;
    }

    /// This is what the server shows at `at`.
    pub(super) async fn found(&mut self, found: &[Shown], at: Timestamp) {
        let mut others = Vec::new();
        for candidate in std::mem::take(&mut self.candidates) {
            let expected = shown_by(&candidate.ledger, &self.conversations, at).await;
            if expected == found {
                self.candidates.push(candidate);
            } else {
                others.push((expected, candidate.done));
            }
        }
        assert!(!self.candidates.is_empty(), "found {found:#?}\nand none of {others:#?}");
    }

    /// How many messages there must be at `at`.
    pub(super) async fn messages(&self, at: Timestamp) -> u64 {
        let candidate = &self.candidates[0];
        candidate.ledger.sweep(at).await.unwrap();
        candidate.ledger.vitals().messages
    }

    /// The last second that began during a write, if a message ended with that.
    pub(super) fn ended(&self) -> Option<u64> {
        self.ended
    }

    async fn has_end_at(&self, second: u64) -> bool {
        let ledger = &self.candidates[0].ledger;
        let before = Timestamp { unix_ms: second * 1_000 - 1 };
        for c in &self.conversations {
            let (live, _) = ledger.messages(&conversation(c), None, 1_000, before).await.unwrap();
            if live.iter().any(|message| message.expires_at.unix_s == second) {
                return true;
            }
        }
        false
    }

    /// Every candidate at every instant; none is left behind.
    async fn fork(&mut self, instants: &[Timestamp]) -> Vec<(Candidate, Timestamp)> {
        let (last, earlier) = instants.split_last().expect("there is an instant");
        if !earlier.is_empty() {
            let second = last.unix_ms / 1_000;
            self.ended = self.has_end_at(second).await.then_some(second);
        }
        let mut forks = Vec::new();
        for candidate in std::mem::take(&mut self.candidates) {
            for at in earlier {
                forks.push((candidate.again().await, *at));
            }
            forks.push((candidate, *last));
        }
        forks
    }

    /// Keeps one of those that are the same at `at` and from then on.
    async fn merge(&mut self, at: Timestamp) {
        if self.candidates.len() == 1 {
            return;
        }
        let mut known = BTreeSet::new();
        for candidate in std::mem::take(&mut self.candidates) {
            if known.insert(candidate.inside(at).await) {
                self.candidates.push(candidate);
            }
        }
        assert!(
            self.candidates.len() <= CANDIDATES_MAX,
            "nothing tells {} states apart",
            self.candidates.len()
        );
    }
}
