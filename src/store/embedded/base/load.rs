//! Reading the whole base at a start: the newest version of each object, up to the seal that counts.

use std::path::Path;

use super::{
    Base, Each, Erasure,
    gathered::{Gathered, Newest},
    object::Object,
    seal::Seal,
};
use crate::store::embedded::{OpenError, record::FORMAT};

impl Base {
    /// Reads all that is there; what is wrong with it is said of `named`.
    pub(super) fn load(&mut self, each: &mut Each<'_>, named: &Path) -> Result<Option<Seal>, OpenError> {
        let damaged = |what| OpenError::damaged(&named.join("db"), 0, what);
        let seal = self.newest_seal(named)?;
        let sealed = seal.as_ref().map_or(0, |seal| seal.version);
        let tree: sled::Tree = (*self.db).clone();
        let mut gathered: Option<Gathered> = None;
        for entry in tree.range(Object::SEAL.after()..) {
            let (key, value) = entry.map_err(|error| OpenError::base(named, &error))?;
            self.live_bytes += (key.len() + value.len()) as u64;
            let (object, version, part) =
                Object::parse(&key).ok_or_else(|| damaged("a key does not read"))?;
            self.version = self.version.max(version + 1);
            if gathered.as_ref().is_some_and(|gathered| gathered.object != object) {
                self.hand_over(gathered.take(), each).map_err(damaged)?;
            }
            gathered.get_or_insert_with(|| Gathered::new(object, sealed)).add(version, part, key, &value);
        }
        self.hand_over(gathered, each).map_err(damaged)?;
        if self.digest != seal.as_ref().map(|seal| seal.digest).unwrap_or_default() {
            return Err(damaged("objects are missing, or older than the last checkpoint left them"));
        }
        Ok(seal)
    }

    /// The seal that counts; those before it are stale.
    fn newest_seal(&mut self, named: &Path) -> Result<Option<Seal>, OpenError> {
        let damaged = |what| OpenError::damaged(&named.join("db"), 0, what);
        let mut newest = None;
        let mut last = None;
        for entry in &self.db.scan_prefix(Object::SEAL.prefix()).collect::<Vec<_>>() {
            let (key, value) = entry.as_ref().map_err(|error| OpenError::base(named, error))?;
            self.live_bytes += (key.len() + value.len()) as u64;
            let (_, version, _) = Object::parse(key).ok_or_else(|| damaged("a key does not read"))?;
            newest = Some(Seal::read(version, value).ok_or_else(|| damaged("a seal does not read"))?);
            self.stale.extend(last.replace(key.clone()));
            self.version = version + 1;
        }
        Ok(newest)
    }

    fn hand_over(&mut self, gathered: Option<Gathered>, each: &mut Each<'_>) -> Result<(), &'static str> {
        let Some(gathered) = gathered else { return Ok(()) };
        let object = gathered.object;
        match gathered.newest(&mut self.stale).ok_or("an object is not whole")? {
            Newest::Nothing => Ok(()),
            Newest::Gone(tomb) => {
                self.tombs.push(tomb);
                Ok(())
            }
            Newest::Whole { version, bytes } => {
                self.digest.put(object, version);
                if object == Object::ERASURE {
                    self.erasure = Erasure::Due;
                    return Ok(());
                }
                each(object, checked(&bytes).ok_or("an object has a wrong checksum")?)
            }
        }
    }
}

/// The body of an object, if its format and checksum are right.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, crc) = bytes.split_last_chunk()?;
    let (format, body) = rest.split_first()?;
    (*format == FORMAT && crc32fast::hash(rest) == u32::from_le_bytes(*crc)).then_some(body)
}
