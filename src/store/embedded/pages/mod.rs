//! Page files: where pages stand that a checkpoint has written.
//!
//! sled writes every value about twice, so pages, which are nearly all there is to store, have files of our own:
//! append-only, each extent one version of one page. Which extents count stands in sled, as *shelves*; an extent that
//! no sealed shelf names is nothing.
//!
//! ```text
//! pages/0000000042.pages
//!
//!   head     "seenbyP" format:1   number:4   crc32:4 of the 12 before it
//!   extent   crc32:4 of all that follows   length:4   conversation:8   page:4   the page
//!   extent   ...
//! ```
//!
//! Numbers are little-endian; `length` counts the bytes of the page. [`Book`] is the checkpoint thread's and writes;
//! [`read`] is anybody's.

mod book;
mod scan;

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

pub(super) use book::{Book, Moved};
pub(super) use scan::{remove_others, scan};

use crate::store::embedded::{
    hot::conversation::{Key, PageNumber},
    record::FORMAT,
};

const MAGIC: &[u8; 7] = b"seenbyP";
const HEAD_BYTES: usize = 7 + 1 + 4 + 4;
const EXTENT_HEAD_BYTES: usize = 4 + 4 + 8 + 4;

/// Where a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Extent {
    pub(super) file: u32,
    pub(super) offset: u32,
    /// Of all of it, its head among them.
    pub(super) length: u32,
}

/// Which page an extent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageName {
    pub(super) conversation: Key,
    pub(super) number: PageNumber,
}

fn file_path(directory: &Path, file: u32) -> PathBuf {
    directory.join(format!("{file:010}.pages"))
}

fn file_head(file: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..7].copy_from_slice(MAGIC);
    head[7] = FORMAT;
    head[8..12].copy_from_slice(&file.to_le_bytes());
    let crc = crc32fast::hash(&head[..12]);
    head[12..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// The bytes of an extent.
fn extent_bytes(name: PageName, page: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(page.len()).map_err(|_| io::Error::other("a page is too large"))?;
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&name.conversation.0.to_le_bytes());
    bytes.extend_from_slice(&name.number.0.to_le_bytes());
    bytes.extend_from_slice(page);
    let crc = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// The page in an extent, if it is this one and whole.
fn page_in(bytes: &[u8], name: PageName) -> Option<&[u8]> {
    let (crc, rest) = bytes.split_first_chunk()?;
    let (head, page) = rest.split_at_checked(EXTENT_HEAD_BYTES - 4)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?);
    let conversation = Key(u64::from_le_bytes(head[4..12].try_into().ok()?));
    let number = PageNumber(u32::from_le_bytes(head[12..].try_into().ok()?));
    let is_it = length as usize == page.len() && name == PageName { conversation, number };
    (is_it && crc32fast::hash(rest) == u32::from_le_bytes(*crc)).then_some(page)
}

/// Reads a page from disk. [`io::ErrorKind::NotFound`]: the file went, because all in it stands elsewhere by now.
pub(super) fn read(directory: &Path, extent: Extent, name: PageName) -> io::Result<Vec<u8>> {
    let path = file_path(directory, extent.file);
    let mut bytes = vec![0; extent.length as usize];
    let file = File::open(&path).map_err(|error| io::Error::new(error.kind(), at(&path, &error)))?;
    file.read_exact_at(&mut bytes, u64::from(extent.offset)).map_err(|error| at(&path, &error))?;
    if page_in(&bytes, name).is_none() {
        let what = format!("{}: the page at byte {} does not read", path.display(), extent.offset);
        return Err(io::Error::other(what));
    }
    bytes.drain(..EXTENT_HEAD_BYTES);
    Ok(bytes)
}

/// An error that names the file.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}
