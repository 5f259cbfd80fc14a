//! What is there afterwards, held against what was answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use seenby::{
    client::{Client, ClientError, Retry},
    wire::Code,
};

use super::load::{Book, message, reader};
use crate::harness::PATIENCE;

/// What became of all that was written.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    answered: usize,
    refused: BTreeMap<String, u64>,
    /// Marks that were answered and are not there.
    lost: usize,
    /// Messages whose registration was answered and that are not there.
    lost_messages: usize,
    /// Messages of which a pull said more than is there.
    shown_and_lost: usize,
    denied: Vec<String>,
    slowest_refusal: Duration,
    /// The longest time without an answer in any conversation.
    gap: Duration,
}

/// Holds what `client` shows against the books.
pub(super) async fn judge(client: &Client, books: &[Book]) -> Verdict {
    let mut verdict = Verdict::default();
    for book in books {
        verdict.add(client, book).await;
    }
    verdict
}

impl Verdict {
    async fn add(&mut self, client: &Client, book: &Book) {
        self.answered += book.answered.len();
        self.denied.extend(book.denied.iter().map(|said| format!("{}: {said}", book.conversation)));
        self.gap = self.gap.max(book.gap);
        self.slowest_refusal = self.slowest_refusal.max(book.slowest_refusal);
        for (code, count) in &book.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
        for number in 0..book.messages {
            self.add_message(client, book, number).await;
        }
    }

    async fn add_message(&mut self, client: &Client, book: &Book, number: u64) {
        let of = |marks: &BTreeSet<(u64, u64)>| {
            marks.range((number, 0)..(number + 1, 0)).map(|(_, by)| reader(*by)).collect::<BTreeSet<_>>()
        };
        let answered = of(&book.answered);
        let (c, id) = (&book.conversation, message(number));
        let there: BTreeSet<_> = match Retry::new(PATIENCE).run(|| client.readers(c, &id)).await {
            Ok(readers) => readers.into_iter().collect(),
            Err(ClientError::Problem { problem, .. }) if problem.code == Code::UnknownMessage => {
                self.lost_messages += 1;
                BTreeSet::new()
            }
            Err(error) => panic!("{c}, {id}: {error}"),
        };
        let invented: Vec<_> =
            there.iter().filter(|by| !answered.contains(*by) && !of(&book.unsure).contains(*by)).collect();
        assert!(invented.is_empty(), "{c}, {id}: {invented:?} never read it");
        self.lost += answered.difference(&there).count();
        let shown = book.shown.get(&number).copied().unwrap_or_default();
        self.shown_and_lost += usize::from(there.len() < usize::try_from(shown).unwrap());
    }

    /// All that was answered and shown is there, and was at any time; what was not answered was refused by one of these codes.
    #[track_caller]
    pub(super) fn nothing_is_lost(&self, codes: &[&str]) {
        assert_eq!(self.shown_and_lost, 0, "{self}");
        self.nothing_answered_is_lost(codes);
    }

    /// All that was answered is there. Pulls may have shown what nobody was promised.
    #[track_caller]
    pub(super) fn nothing_answered_is_lost(&self, codes: &[&str]) {
        assert_eq!((self.lost, self.lost_messages), (0, 0), "{self}");
        assert!(self.denied.is_empty(), "{self}: {:?}", &self.denied[..self.denied.len().min(5)]);
        self.refused_by(codes);
    }

    /// No other codes than these, and none after a time that is out of all proportion.
    #[track_caller]
    pub(super) fn refused_by(&self, codes: &[&str]) {
        assert!(self.refused.keys().all(|code| codes.contains(&code.as_str())), "{self}");
        assert!(self.slowest_refusal < Duration::from_secs(20), "{self}");
    }

    /// How many marks were answered and are not there.
    pub(super) fn lost(&self) -> usize {
        self.lost
    }

    /// How many calls were refused with the code.
    pub(super) fn refused(&self, code: &str) -> u64 {
        self.refused.get(code).copied().unwrap_or_default()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} marks answered, calls refused {:?} (within {:.1} s), longest without an answer {:.1} s; \
             lost {} marks, {} messages; shown and lost {} messages; denied {}",
            self.answered,
            self.refused,
            self.slowest_refusal.as_secs_f64(),
            self.gap.as_secs_f64(),
            self.lost,
            self.lost_messages,
            self.shown_and_lost,
            self.denied.len(),
        )
    }
}

mod tests {
    use super::*;
    use crate::{cluster::load::Load, harness::Running, process::client};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_lost_is_found() {
        let data = tempfile::tempdir().unwrap();
        let server = Running::start(&["--data", data.path().to_str().unwrap(), "--log", "error"]);
        let client = client(&server);
        let load = Load::begin(&[&server, &server], &["c0".to_owned(), "c1".to_owned()]).await;
        load.flows().await;
        let books = load.end().await;
        let found = judge(&client, &books).await;
        found.nothing_is_lost(&[]);
        client.reset_message("c0", "m0").await.unwrap();
        client.delete_message("c1", "m0").await.unwrap();
        let found = judge(&client, &books).await;
        let marks = |book: &Book| book.answered.range(..(1, 0)).count();
        assert_eq!((found.lost, found.lost_messages), (books.iter().map(marks).sum(), 1), "{found}");
        assert!(found.shown_and_lost > 0, "{found}");
    }
}
