//! Marks: the same ones in the same order for every side, each in its own protocol, none made twice.

use crate::protocol::{bigints, push_command, push_execute, push_number};

/// Members of each conversation; the first sends all messages.
pub(crate) const MEMBERS: usize = 2_000;
/// Messages of each conversation.
pub(crate) const MESSAGES: usize = 1_000;

/// Which marks a work makes: conversations of its own, and how many marks go into one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// What the names of its conversations begin with.
    pub(crate) name: &'static str,
    pub(crate) conversations: usize,
    /// Of each conversation: members, the first of whom has sent its messages…
    pub(crate) members: usize,
    /// …and how many these are.
    pub(crate) depth: usize,
    /// In each request…
    pub(crate) readers: usize,
    /// …and for each of these readers; ids that follow each other.
    pub(crate) messages: usize,
    /// Where its messages begin in a table that numbers all of them.
    pub(crate) first_row: usize,
}

/// What one request marks.
struct Batch {
    conversation: usize,
    reader: usize,
    message: usize,
}

impl Marks {
    /// In one request.
    pub(crate) fn units(self) -> usize {
        self.readers * self.messages
    }

    /// The batch of request `at`; none once every mark has been made.
    fn batch(self, at: usize) -> Option<Batch> {
        let (conversation, rest) = (at % self.conversations, at / self.conversations);
        let blocks = (self.members - 1) / self.readers;
        let (block, screen) = (rest % blocks, rest / blocks);
        let message = screen * self.messages;
        let reader = 1 + block * self.readers;
        (message < self.depth).then_some(Batch { conversation, reader, message })
    }

    /// Request `at` to seenby.
    pub(crate) fn http(self, at: usize, out: &mut Vec<u8>) -> bool {
        let Some(batch) = self.batch(at) else { return false };
        let mut body = Vec::with_capacity(self.readers * (64 + 8 * self.messages));
        let mut path = b"/v1/".to_vec();
        if self.readers == 1 {
            path.extend_from_slice(b"conversations/");
            self.push_conversation(&mut path, &batch);
            path.push(b'/');
            body.extend_from_slice(b"{\"reader\":\"u");
            push_number(&mut body, batch.reader);
            self.push_ids(&mut body, &batch);
            body.push(b'}');
        } else {
            let mut ids = Vec::new();
            self.push_ids(&mut ids, &batch);
            body.extend_from_slice(b"{\"marks\":[");
            for reader in batch.reader..batch.reader + self.readers {
                body.extend_from_slice(b"{\"conversation\":\"");
                self.push_conversation(&mut body, &batch);
                body.extend_from_slice(b"\",\"reader\":\"u");
                push_number(&mut body, reader);
                body.extend_from_slice(&ids);
                body.extend_from_slice(b"},");
            }
            body.pop();
            body.extend_from_slice(b"]}");
        }
        path.extend_from_slice(b"marks");
        push_post(out, &path, &body);
        true
    }

    /// Request `at` to Valkey.
    pub(crate) fn resp(self, at: usize, out: &mut Vec<u8>) -> bool {
        let Some(batch) = self.batch(at) else { return false };
        let (mut key, mut bit) = (Vec::new(), Vec::new());
        for message in batch.message..batch.message + self.messages {
            key.clear();
            self.push_conversation(&mut key, &batch);
            key.extend_from_slice(b":m");
            push_number(&mut key, message);
            for reader in batch.reader..batch.reader + self.readers {
                bit.clear();
                push_number(&mut bit, reader);
                push_command(out, &[b"SETBIT", &key, &bit, b"1"]);
            }
        }
        true
    }

    /// What inserts the marks of one reader.
    pub(crate) fn statement(self) -> &'static str {
        match self.messages {
            1 => "INSERT INTO receipts VALUES ($1, $2) ON CONFLICT DO NOTHING",
            _ => "INSERT INTO receipts SELECT unnest($1::bigint[]), $2::int ON CONFLICT DO NOTHING",
        }
    }

    /// Request `at` to PostgreSQL, of one reader.
    pub(crate) fn postgres(self, at: usize, out: &mut Vec<u8>) -> bool {
        let Some(batch) = self.batch(at) else { return false };
        let row = self.first_row + batch.conversation * MESSAGES + batch.message;
        let row = i64::try_from(row).expect("invariant: some millions");
        let reader = i32::try_from(batch.reader).expect("invariant: thousands").to_be_bytes();
        match self.messages {
            1 => push_execute(out, &[&row.to_be_bytes(), &reader]),
            messages => push_execute(out, &[&bigints(row, messages), &reader]),
        }
        true
    }

    fn push_conversation(self, out: &mut Vec<u8>, batch: &Batch) {
        out.extend_from_slice(self.name.as_bytes());
        push_number(out, batch.conversation);
    }

    /// `","messages":["m1","m2"]`.
    fn push_ids(self, out: &mut Vec<u8>, batch: &Batch) {
        out.extend_from_slice(b"\",\"messages\":[");
        for message in batch.message..batch.message + self.messages {
            out.extend_from_slice(b"\"m");
            push_number(out, message);
            out.extend_from_slice(b"\",");
        }
        out.pop();
        out.push(b']');
    }
}

fn push_post(out: &mut Vec<u8>, path: &[u8], body: &[u8]) {
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(path);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ");
    push_number(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}
