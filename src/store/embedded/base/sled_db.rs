//! sled's beginning and end, where it may panic, on damaged files or on a disk that fails.

use std::{any::Any, io, path::Path, thread};

use crate::store::embedded::{BASE_THREAD, OpenError};

/// sled takes about ten times what it is told.
const CACHE_BYTES: u64 = 8 << 20;

/// Does what sled may panic in on a thread that the process survives; the panic becomes an error.
pub(in crate::store::embedded) fn on_own_thread<T: Send>(call: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let called = thread::Builder::new().name(BASE_THREAD.to_owned()).spawn_scoped(scope, call)?;
        called.join().map_err(|panic| io::Error::other(format!("sled panicked: {}", said(&*panic))))
    })
}

/// What a panic had to say.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}

/// Opens the database in `path`, and makes one where there is none. Errors are about `named`.
pub(in crate::store::embedded) fn open(path: &Path, named: &Path) -> Result<sled::Db, OpenError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    match config.open() {
        Err(sled::Error::Io(error)) => Err(OpenError::at(named)(error)),
        opened => opened.map_err(|error| OpenError::base(named, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(on_own_thread(|| 7).unwrap(), 7);
        let error = on_own_thread(|| panic!("page {} is not there", 3)).unwrap_err();
        assert_eq!(error.to_string(), "sled panicked: page 3 is not there");
    }
}
