//! Writing a dump, block by block.

use std::io::{self, Write};

use super::{
    BLOCK_BYTES_MAX, Head, Item, Label, MAGIC, VERSION,
    bytes::{put_count, put_number, put_option, put_set, put_text},
    run::put_run,
};
use crate::domain::UserId;

/// Writes a dump. What it has written is one only after [`Writer::end`].
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    crc: crc32fast::Hasher,
    conversations: u64,
    messages: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a dump of what `head` says.
    pub fn begin(out: W, head: Head, label: Label) -> io::Result<Self> {
        let mut writer = Self { out, crc: crc32fast::Hasher::new(), conversations: 0, messages: 0 };
        writer.raw(MAGIC)?;
        writer.raw(&[VERSION])?;
        let mut payload = Vec::new();
        let numbers = [label.taken_at_unix_ms, head.generation_next, head.conversations, head.messages];
        numbers.iter().for_each(|number| put_number(&mut payload, *number));
        payload.push(label.etag_key.is_some().into());
        payload.extend(label.etag_key.into_iter().flatten());
        writer.block(b'I', &payload)?;
        Ok(writer)
    }

    /// Writes the next piece.
    pub fn put(&mut self, item: &Item) -> io::Result<()> {
        let mut payload = Vec::new();
        let kind = match item {
            Item::Hidden(users) => {
                put_count(&mut payload, users.len());
                users.iter().for_each(|user| put_text(&mut payload, user.as_str()));
                b'H'
            }
            Item::Conversation { id, order_highest } => {
                self.conversations += 1;
                put_text(&mut payload, id.as_str());
                put_option(&mut payload, order_highest.map(|order| order.0));
                b'C'
            }
            Item::Names(names) => {
                put_count(&mut payload, names.len());
                let text =
                    |name: &Option<UserId>| put_text(&mut payload, name.as_ref().map_or("", UserId::as_str));
                names.iter().for_each(text);
                b'N'
            }
            Item::Roster { version, members } => {
                put_number(&mut payload, *version);
                put_set(&mut payload, members);
                b'R'
            }
            Item::Run(page) => {
                self.messages += item.messages() as u64;
                put_run(&mut payload, page);
                b'M'
            }
        };
        self.block(kind, &payload)
    }

    /// Writes the end, and gives back what was written to.
    pub fn end(mut self) -> io::Result<W> {
        let mut payload = Vec::new();
        put_number(&mut payload, self.conversations);
        put_number(&mut payload, self.messages);
        self.block(b'E', &payload)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn block(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length <= BLOCK_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("a block of the dump would be too long"))?;
        self.raw(&[kind])?;
        self.raw(&length.to_le_bytes())?;
        self.raw(payload)?;
        let crc = self.crc.clone().finalize();
        self.out.write_all(&crc.to_le_bytes())
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.out.write_all(bytes)
    }
}
