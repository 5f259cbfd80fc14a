//! Chores: what may take long, and is done a slice at a time between commits, so that no write waits for all of it.

use std::{collections::VecDeque, mem};

use tokio::sync::oneshot;

use crate::domain::{ConversationId, Timestamp, UserId};
use crate::store::embedded::{
    commit::Committer,
    commit::draft::Batch,
    commit::{forget, user},
};

/// Pages that a slice changes at the most.
const SLICE_PAGES: usize = 64;

/// Conversations that a slice looks at without finding a page to change.
const SLICE_CONVERSATIONS: usize = 1_024;

/// What is to be done, in turns.
#[derive(Default)]
pub(super) struct Chores(VecDeque<Chore>);

enum Chore {
    Sweep(Sweep),
    ForgetUser(ForgetUser),
}

struct Sweep {
    now: Timestamp,
    swept: usize,
    /// Who asked. All are told what went while the sweep ran.
    answers: Vec<oneshot::Sender<usize>>,
}

/// First the messages that the user sent go, so that a deletion that a crash breaks off can be asked for again; then,
/// in one commit, the user.
struct ForgetUser {
    user: UserId,
    /// Where messages may be left; none before that was looked up.
    conversations: Option<Vec<ConversationId>>,
    /// Who asked, and asked again.
    answers: Vec<oneshot::Sender<()>>,
}

impl Chores {
    pub(super) fn has_some(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn sweep(&mut self, now: Timestamp, answer: oneshot::Sender<usize>) {
        for chore in &mut self.0 {
            if let Chore::Sweep(sweep) = chore {
                sweep.now = sweep.now.max(now);
                sweep.answers.push(answer);
                return;
            }
        }
        self.0.push_back(Chore::Sweep(Sweep { now, swept: 0, answers: vec![answer] }));
    }

    pub(super) fn forget_user(&mut self, user: UserId, answer: oneshot::Sender<()>) {
        for chore in &mut self.0 {
            if let Chore::ForgetUser(forget) = chore
                && forget.user == user
            {
                forget.answers.push(answer);
                return;
            }
        }
        self.0.push_back(Chore::ForgetUser(ForgetUser { user, conversations: None, answers: vec![answer] }));
    }
}

impl Committer {
    /// Does a slice of the first chore, and puts what is left of it behind the others. When the store has failed, who
    /// asked finds that out from being told nothing.
    pub(super) fn do_slice(&mut self, chores: &mut Chores) {
        let left = match chores.0.pop_front() {
            Some(_) if self.pulse.has_failed() => None,
            Some(Chore::Sweep(sweep)) => self.sweep_slice(sweep).map(Chore::Sweep),
            Some(Chore::ForgetUser(forget)) => self.forget_slice(forget).map(Chore::ForgetUser),
            None => None,
        };
        chores.0.extend(left);
    }

    /// Sweeps some pages; returns what is left to do.
    fn sweep_slice(&mut self, mut sweep: Sweep) -> Option<Sweep> {
        let due = self.tracker.due(sweep.now, SLICE_PAGES);
        if due.is_empty() {
            for answer in sweep.answers {
                let _ = answer.send(sweep.swept);
            }
            return None;
        }
        let (hot, work) = (self.hot.clone(), self.work.clone());
        let mut batch = Batch::new(&hot, self.next_sequence, &work);
        let swept: usize =
            due.into_iter().map(|(id, pages)| forget::sweep(&mut batch, &id, &pages, sweep.now)).sum();
        if self.finish(batch).is_ok() {
            assert!(swept > 0, "invariant: what is due holds something that has expired");
            sweep.swept += swept;
        }
        Some(sweep)
    }

    /// Forgets some of the messages that a user sent, or, when none is left, the user; returns what is left to do.
    fn forget_slice(&mut self, mut forget: ForgetUser) -> Option<ForgetUser> {
        let (hot, work) = (self.hot.clone(), self.work.clone());
        let mut conversations =
            mem::take(&mut forget.conversations).unwrap_or_else(|| hot.knowing(&forget.user));
        let mut batch = Batch::new(&hot, self.next_sequence, &work);
        let (mut pages, mut looked) = (0, 0);
        while let Some(id) = conversations.last()
            && pages < SLICE_PAGES
            && looked < SLICE_CONVERSATIONS
        {
            batch.step();
            let changed = user::forget_sent(&mut batch, id, &forget.user, SLICE_PAGES - pages);
            pages += changed;
            looked += 1;
            if changed == 0 {
                conversations.pop();
            }
        }
        let is_last = conversations.is_empty();
        if is_last {
            user::forget(&mut batch, &forget.user);
        }
        self.finish(batch).ok()?;
        if is_last {
            for answer in forget.answers {
                // Nobody waits any more if the client hung up; it is done all the same.
                let _ = answer.send(());
            }
            return None;
        }
        Some(ForgetUser { conversations: Some(conversations), ..forget })
    }
}
