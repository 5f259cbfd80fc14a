//! What hidden users take away from the counts of a page, counted once for as long as the same users are hidden.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Columns, PAGE_MESSAGES_MAX, Page};
use crate::domain::{Hidden, Positions};

/// By position: how many hidden users have read, how many were asked, and a number that stands for who was.
#[derive(Debug)]
pub(super) struct HiddenCounts {
    revision: u64,
    pub(super) read: [u32; PAGE_MESSAGES_MAX],
    pub(super) of: [u32; PAGE_MESSAGES_MAX],
    pub(super) digest: [u64; PAGE_MESSAGES_MAX],
}

impl HiddenCounts {
    /// Costs a look at each hidden user of each audience of the page.
    fn count(page: &Page, hidden: &Hidden) -> Self {
        let (mut of, mut digest) = ([0; PAGE_MESSAGES_MAX], [0; PAGE_MESSAGES_MAX]);
        let mut columns = Columns::new();
        for (audience, positions) in page.outline.audiences() {
            let (mut asked, mut sum) = (0, 0_u64);
            for slot in hidden.of(audience) {
                asked += 1;
                sum = sum.wrapping_add(Hidden::digest(slot));
                columns.add(Positions(page.read_by(slot).0 & positions.0));
            }
            for (position, message) in positions.iter().filter_map(|at| Some((at, page.message(at)?))) {
                let at = position.index();
                (of[at], digest[at]) = (asked, sum);
                // The sender of a message is in no audience of it, whatever the set says.
                if audience.contains(message.sender) && hidden.contains(message.sender) {
                    of[at] -= 1;
                    digest[at] = sum.wrapping_sub(Hidden::digest(message.sender));
                }
            }
        }
        Self { revision: hidden.revision(), read: columns.counts(), of, digest }
    }
}

/// The last counts. Marks of users who are not hidden leave them as they are, so that copies of a page take them along.
#[derive(Debug, Default)]
pub(super) struct LastCounts(Mutex<Option<Arc<HiddenCounts>>>);

impl LastCounts {
    pub(super) fn of(&self, page: &Page, hidden: &Hidden) -> Arc<HiddenCounts> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(counts) if counts.revision == hidden.revision() => counts.clone(),
            _ => last.insert(Arc::new(HiddenCounts::count(page, hidden))).clone(),
        }
    }
}

impl Clone for LastCounts {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}
