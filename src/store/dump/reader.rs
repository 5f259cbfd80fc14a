//! Reading a dump, block by block, and none before its checksum is right.

use std::io::{self, Read};

use super::{
    BLOCK_BYTES_MAX, COUNT_MAX, DumpError, Head, Item, Label, MAGIC, VERSION, bytes::Bytes, grammar::Grammar,
};

/// Reads a dump. That it is whole is known only once [`Reader::next`] has said that it is at its end.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    at: u64,
    crc: crc32fast::Hasher,
    head: Head,
    label: Label,
    grammar: Grammar,
    is_at_end: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning.
    pub fn begin(input: R) -> Result<Self, DumpError> {
        let head = Head { generation_next: 0, conversations: 0, messages: 0 };
        let label = Label { taken_at_unix_ms: 0, etag_key: None };
        let (crc, grammar) = (crc32fast::Hasher::new(), Grammar::new(head));
        let mut reader = Self { input, at: 0, crc, head, label, grammar, is_at_end: false };
        let magic = reader.bytes(MAGIC.len() as u64)?;
        if !MAGIC.starts_with(&magic) {
            return Err(DumpError::NotADump);
        }
        reader.complete(&magic, MAGIC.len())?;
        let version = reader.bytes(1)?;
        reader.complete(&version, 1)?;
        match version[0] {
            VERSION => {}
            0 => return Err(DumpError::NotADump),
            version => return Err(DumpError::Newer { version }),
        }
        let (kind, payload) = reader.block()?;
        let read = if kind == b'I' { read_info(&payload) } else { None };
        (reader.head, reader.label) = read.ok_or(reader.damaged("its first block does not read"))?;
        reader.grammar = Grammar::new(reader.head);
        Ok(reader)
    }

    /// What it says of itself.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// What goes along with it.
    #[must_use]
    pub fn label(&self) -> Label {
        self.label
    }

    /// How many bytes were read.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What it reads from.
    pub fn into_input(self) -> R {
        self.input
    }

    /// The next piece; none at the end, of which it is the end of the input as well.
    #[expect(clippy::should_implement_trait, reason = "it may fail, and is done then")]
    pub fn next(&mut self) -> Result<Option<Item>, DumpError> {
        if self.is_at_end {
            return Ok(None);
        }
        let (kind, payload) = self.block()?;
        let item = self.grammar.take(kind, &payload).map_err(|what| self.damaged(what))?;
        if item.is_none() {
            self.is_at_end = true;
            if !self.bytes(1)?.is_empty() {
                return Err(self.damaged("something follows its end"));
            }
        }
        Ok(item)
    }

    fn damaged(&self, what: &'static str) -> DumpError {
        DumpError::Damaged { at: self.at, what }
    }

    fn block(&mut self) -> Result<(u8, Vec<u8>), DumpError> {
        let head = self.bytes(5)?;
        let Ok([kind, a, b, c, d]) = <[u8; 5]>::try_from(head) else {
            return Err(DumpError::Cut { at: self.at });
        };
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > BLOCK_BYTES_MAX {
            return Err(self.damaged("a block says that it is longer than any may be"));
        }
        let payload = self.bytes(length.into())?;
        self.complete(&payload, length as usize)?;
        let is = self.crc.clone().finalize().to_le_bytes();
        let said = self.unchecked(4)?;
        self.complete(&said, 4)?;
        if said == is { Ok((kind, payload)) } else { Err(self.damaged("a checksum is not right")) }
    }

    /// So many bytes, fewer at the end of the input. Takes no memory for what is not there.
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, DumpError> {
        let bytes = self.unchecked(count)?;
        self.crc.update(&bytes);
        Ok(bytes)
    }

    fn unchecked(&mut self, count: u64) -> Result<Vec<u8>, DumpError> {
        let mut bytes = Vec::new();
        let read: io::Result<usize> = (&mut self.input).take(count).read_to_end(&mut bytes);
        self.at += read? as u64;
        Ok(bytes)
    }

    fn complete(&self, bytes: &[u8], count: usize) -> Result<(), DumpError> {
        if bytes.len() == count { Ok(()) } else { Err(DumpError::Cut { at: self.at }) }
    }
}

fn read_info(payload: &[u8]) -> Option<(Head, Label)> {
    let mut bytes = Bytes(payload);
    let taken_at_unix_ms = bytes.number()?;
    let generation_next = bytes.number().filter(|next| *next <= COUNT_MAX)?;
    let (conversations, messages) = (bytes.number()?, bytes.number()?);
    let etag_key = match bytes.byte()? {
        0 => None,
        1 => Some(bytes.fixed()?),
        _ => return None,
    };
    let read = (Head { generation_next, conversations, messages }, Label { taken_at_unix_ms, etag_key });
    bytes.is_empty().then_some(read)
}
