//! Reading all pages at a start: each is checked, so that damage is found now and not when somebody asks.

use std::{fs, io, path::Path};

use super::{Book, Extent, HEAD_BYTES, MAGIC, PageName, file_head, file_path, page_in};
use crate::store::embedded::{OpenError, journal::sync_directory, record::FORMAT};

/// Takes a page; fails with what is wrong with it.
type Each<'a> = dyn FnMut(PageName, Extent, &[u8]) -> Result<(), &'static str> + 'a;

/// Hands every page in the book to `each`, and takes note of the length of the files. Changes nothing.
pub(in crate::store::embedded) fn scan(book: &mut Book, each: &mut Each<'_>) -> Result<(), OpenError> {
    let directory = book.directory().to_owned();
    let files = book.by_file();
    for (file, extents) in files {
        let path = file_path(&directory, file);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::damaged(&path, 0, "it is missing, and the base has pages in it"));
            }
            Err(error) => return Err(OpenError::at(&path)(error)),
        };
        check_head(&path, file, &bytes)?;
        for (extent, name) in extents {
            let (first, length) = (extent.offset as usize, extent.length as usize);
            let here = bytes.get(first..).and_then(|rest| rest.get(..length));
            let page = here.and_then(|bytes| page_in(bytes, name));
            let page = page
                .ok_or_else(|| OpenError::damaged(&path, u64::from(extent.offset), "a page does not read"))?;
            each(name, extent, page)
                .map_err(|what| OpenError::damaged(&path, u64::from(extent.offset), what))?;
        }
        book.measured(file, bytes.len() as u64);
    }
    Ok(())
}

fn check_head(path: &Path, file: u32, bytes: &[u8]) -> Result<(), OpenError> {
    if bytes.get(..HEAD_BYTES) == Some(&file_head(file)) {
        return Ok(());
    }
    match bytes.get(7) {
        Some(&format) if bytes.starts_with(MAGIC) && format > FORMAT => {
            Err(OpenError::Newer { path: path.to_owned(), format: u32::from(format) })
        }
        _ => Err(OpenError::damaged(path, 0, "its head is not that of a page file")),
    }
}

/// Removes the files that the book does not know: of a checkpoint that did not end, or emptied by the last one before a
/// crash.
pub(in crate::store::embedded) fn remove_others(book: &Book) -> Result<(), OpenError> {
    let directory = book.directory();
    let known: Vec<_> = book.by_file().into_keys().map(|file| file_path(directory, file)).collect();
    let remove = || {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            // Whatever else somebody put there is not ours.
            let is_ours = path.extension().is_some_and(|extension| extension == "pages");
            if is_ours && !known.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        sync_directory(directory)
    };
    remove().map_err(OpenError::at(directory))
}
