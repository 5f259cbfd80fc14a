//! Pulls and counts of the same messages, in each protocol: requests that were made before, one after the other and again.

use crate::{
    protocol::{bigints, push_command, push_execute},
    setup::Pulled,
};

/// Conversations that are pulled from, messages in each, and messages on a screen.
pub(crate) const CONVERSATIONS: usize = 10;
pub(crate) const MESSAGES: usize = 200;
pub(crate) const SCREEN: usize = 20;
/// How many have read each of them: 65 of 100, spread over all members.
pub(crate) const READERS: usize = 1_300;

/// One kind of pull.
pub(crate) struct Pulls {
    pub(crate) name: &'static str,
    /// Of a good answer.
    pub(crate) status: u16,
    /// In each pull.
    pub(crate) messages: usize,
    http: Vec<Vec<u8>>,
    resp: Vec<Vec<u8>>,
    postgres: Vec<Vec<u8>>,
}

impl Pulls {
    /// Of one message that is as it was.
    pub(crate) fn unchanged(pulled: &Pulled) -> Self {
        Self::new("pull of 1, unchanged (304)", 304, 1, &pulled.ones, true)
    }

    /// Of one message that has changed.
    pub(crate) fn one(pulled: &Pulled) -> Self {
        Self::new("pull of 1, changed", 200, 1, &pulled.ones, false)
    }

    /// Of a screen that has changed.
    pub(crate) fn screen(pulled: &Pulled) -> Self {
        Self::new("pull of a screen of 20, changed", 200, SCREEN, &pulled.screens, false)
    }

    /// Of a screen that is as it was.
    pub(crate) fn unchanged_screen(pulled: &Pulled) -> Self {
        Self::new("pull of a screen of 20, unchanged (304)", 304, SCREEN, &pulled.screens, true)
    }

    fn new(name: &'static str, status: u16, messages: usize, screens: &[Screen], is_unchanged: bool) -> Self {
        let etag =
            |screen: &Screen| if is_unchanged { screen.etag.clone() } else { screen.etag_before.clone() };
        let http = screens.iter().map(|screen| get(screen, &etag(screen))).collect();
        let resp = screens.iter().map(|screen| screen.resp("")).collect();
        let postgres = screens.iter().map(Screen::postgres).collect();
        Self { name, status, messages, http, resp, postgres }
    }

    pub(crate) fn http(&self, at: usize, out: &mut Vec<u8>) -> bool {
        again(&self.http, at, out)
    }

    pub(crate) fn resp(&self, at: usize, out: &mut Vec<u8>) -> bool {
        again(&self.resp, at, out)
    }

    pub(crate) fn postgres(&self, at: usize, out: &mut Vec<u8>) -> bool {
        again(&self.postgres, at, out)
    }

    /// What counts as many.
    pub(crate) fn statement(&self) -> &'static str {
        match self.messages {
            1 => "SELECT count(*) FROM receipts WHERE message = $1",
            _ => "SELECT message, count(*) FROM receipts WHERE message = ANY($1::bigint[]) GROUP BY message",
        }
    }
}

pub(crate) fn again(requests: &[Vec<u8>], at: usize, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&requests[at % requests.len()]);
    true
}

/// Some messages of a conversation, and what names their receipts.
pub(crate) struct Screen {
    pub(crate) conversation: usize,
    pub(crate) first: usize,
    pub(crate) messages: usize,
    /// From before anybody had read them…
    pub(crate) etag_before: String,
    /// …and since everybody has who ever will.
    pub(crate) etag: String,
}

impl Screen {
    pub(crate) fn ids(&self) -> Vec<String> {
        (self.first..self.first + self.messages).map(|message| format!("m{message}")).collect()
    }

    /// What counts its receipts in Valkey, below keys that begin so.
    pub(crate) fn resp(&self, tag: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for message in self.first..self.first + self.messages {
            push_command(&mut out, &[b"BITCOUNT", key(tag, self.conversation, message).as_bytes()]);
        }
        out
    }

    fn postgres(&self) -> Vec<u8> {
        let first = i64::try_from(row(self.conversation, self.first)).expect("invariant: thousands");
        let mut out = Vec::new();
        match self.messages {
            1 => push_execute(&mut out, &[&first.to_be_bytes()]),
            messages => push_execute(&mut out, &[&bigints(first, messages)]),
        }
        out
    }
}

/// Where Valkey has a message, below keys that begin so.
pub(crate) fn key(tag: &str, conversation: usize, message: usize) -> String {
    format!("{tag}pull{conversation}:m{message}")
}

/// The number that PostgreSQL knows a message by.
pub(crate) fn row(conversation: usize, message: usize) -> usize {
    conversation * MESSAGES + message
}

/// Who has read: numbers of members, which are their slots too.
pub(crate) fn readers() -> impl Iterator<Item = usize> {
    (0..READERS).map(|at| 1 + at * (crate::marks::MEMBERS - 1) / READERS)
}

fn get(screen: &Screen, etag: &str) -> Vec<u8> {
    let (conversation, ids) = (screen.conversation, screen.ids().join("&message="));
    format!(
        "GET /v1/conversations/pull{conversation}/receipts?message={ids} HTTP/1.1\r\nhost: x\r\nif-none-match: {etag}\r\n\r\n"
    )
    .into_bytes()
}
