//! Frames: what one commit puts into the journal. `journal` has where they stand.

use crate::store::embedded::{
    journal::{FRAME_BYTES, FRAME_HEAD_BYTES},
    record::{Record, STORED_BYTES_MAX, encode},
};

/// What a commit of some dozens of marks takes, so that it need not grow.
const USUAL_BYTES: usize = 1 << 10;

/// The records of one commit, on their way to disk: one frame, or more of them where one would grow too large.
#[derive(Debug)]
pub(in crate::store::embedded) struct Frame {
    bytes: Vec<u8>,
    /// Where in the bytes the open frame begins, and the number of its first record.
    begins: usize,
    first: u64,
    pub(super) next: u64,
    /// The number of the first record of all.
    first_of_all: u64,
}

impl Frame {
    /// An empty frame, whose first record has the number `sequence`.
    pub(in crate::store::embedded) fn new(sequence: u64) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        Self { bytes, begins: 0, first: sequence, next: sequence, first_of_all: sequence }
    }

    /// Adds a record, and returns its number.
    pub(in crate::store::embedded) fn push(&mut self, record: &Record) -> u64 {
        if self.bytes.len() - self.begins > FRAME_BYTES {
            self.seal();
            self.begins = self.bytes.len();
            self.first = self.next;
            self.bytes.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        }
        encode(record, &mut self.bytes);
        self.next += 1;
        self.next - 1
    }

    /// Whether it holds no record.
    pub(in crate::store::embedded) fn is_empty(&self) -> bool {
        self.next == self.first_of_all
    }

    /// Bytes so far.
    pub(in crate::store::embedded) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The number that the next record gets.
    pub(in crate::store::embedded) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Fills in the head of the open frame.
    pub(in crate::store::embedded) fn seal(&mut self) {
        let frame = &mut self.bytes[self.begins..];
        let length = u32::try_from(frame.len() - FRAME_HEAD_BYTES).expect("invariant: a frame is bounded");
        assert!(length as usize <= STORED_BYTES_MAX, "invariant: what is written can be read");
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[8..16].copy_from_slice(&self.first.to_le_bytes());
        let crc = crc32fast::hash(&frame[8..]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
