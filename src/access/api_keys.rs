//! API keys: made fresh, kept as hashes, compared in constant time.
//!
//! A key is 32 random bytes, so its SHA-256 needs neither salt nor work factor: nobody can try them all.

use std::{fmt, fs, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::KeyFileError;

/// What every API key begins with, so that it is told from a token, and found where it leaked to.
pub const KEY_PREFIX: &str = "sb_";

/// Bytes of a key that nobody can guess.
const SECRET_BYTES: usize = 32;

/// The longest name of a key.
const NAME_BYTES_MAX: usize = 64;

type Hash = [u8; 32];

fn hash_of(key: &str) -> Hash {
    Sha256::digest(key.as_bytes()).into()
}

/// A fresh key. Shown once: only its hash is ever kept.
pub struct ApiKey {
    name: String,
    secret: String,
}

impl ApiKey {
    /// Makes a key for `name`. What is wrong with a name continues a sentence.
    pub fn generate(name: &str) -> Result<Self, String> {
        check_name(name)?;
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| format!("gets no randomness from the system: {error}"))?;
        let secret = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        Ok(Self { name: name.to_owned(), secret })
    }

    /// The key, as a client sends it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The line that lets the key in: `name sha256-of-the-key`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {:x}", self.name, Sha256::digest(self.secret.as_bytes()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ApiKey").field("name", &self.name).finish_non_exhaustive()
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_good = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('#')
        && !name.starts_with(KEY_PREFIX)
        && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good {
        return Ok(());
    }
    Err(format!(
        "is no name for a key: 1 to {NAME_BYTES_MAX} ASCII characters without spaces, not beginning with '#' or '{KEY_PREFIX}'"
    ))
}

/// The keys that are let in.
#[derive(Debug)]
pub(super) struct ApiKeys(Vec<(Arc<str>, Hash)>);

impl ApiKeys {
    /// Reads a file of keys: a line each; empty lines, and those that begin with `#`, do not count.
    pub(super) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let wrong = |what: String| KeyFileError::new(path, what);
        let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<(Arc<str>, Hash)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = parse_line(line).map_err(|what| format!("line {number} {what}"))?;
            if keys.iter().any(|(_, known)| *known == hash) {
                return Err(format!("line {number} has the hash of a line before"));
            }
            keys.push((name, hash));
        }
        if keys.is_empty() {
            return Err("there is no key in it; `seenby keys new NAME` makes one".to_owned());
        }
        Ok(Self(keys))
    }

    /// The name of a key; none if it is not let in. Takes as long for any key that is not.
    pub(super) fn name_of(&self, key: &str) -> Option<Arc<str>> {
        let hash = hash_of(key);
        let mut found = u32::MAX;
        for (at, (_, known)) in (0_u32..).zip(&self.0) {
            let is_it: Choice = known.ct_eq(&hash);
            found.conditional_assign(&at, is_it);
        }
        self.0.get(found as usize).map(|(name, _)| name.clone())
    }
}

fn parse_line(line: &str) -> Result<(Arc<str>, Hash), String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(hash), None) = (words.next(), words.next(), words.next()) else {
        return Err("is not `name sha256-of-the-key`".to_owned());
    };
    if name.starts_with(KEY_PREFIX) || hash.starts_with(KEY_PREFIX) {
        return Err("has a key where its SHA-256 must stand: take the line that `seenby keys new` prints, and make a \
                    new key, as this one has been written down"
            .to_owned());
    }
    check_name(name).map_err(|what| format!("begins with what {what}"))?;
    let bytes: Option<Vec<u8>> = hash
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let hash = bytes.filter(|_| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let hash = hash.and_then(|bytes| Hash::try_from(bytes).ok());
    Ok((name.into(), hash.ok_or("has no SHA-256 behind the name: 64 hexadecimal digits")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_key_is_let_in_by_its_line() {
        let (one, other) = (ApiKey::generate("chat").unwrap(), ApiKey::generate("ops").unwrap());
        let keys = ApiKeys::parse(&format!("# ours\n{}\n\n  {}\n", one.line(), other.line())).unwrap();
        assert_eq!(keys.name_of(one.secret()).as_deref(), Some("chat"));
        assert_eq!(keys.name_of(other.secret()).as_deref(), Some("ops"));
        assert_eq!(keys.name_of(ApiKey::generate("chat").unwrap().secret()), None);
        assert_eq!(one.secret().len(), KEY_PREFIX.len() + 43);
        assert!(!one.line().contains(one.secret()) && !format!("{one:?}").contains(one.secret()));
    }

    #[test]
    fn the_hash_is_that_of_the_standard_tools() {
        let key = ApiKey { name: "a".to_owned(), secret: "abc".to_owned() };
        // FIPS 180-2, appendix B.1.
        assert_eq!(key.line(), "a ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_line_that_is_none_is_named_and_not_quoted() {
        let hash = "ab".repeat(32);
        for (text, said) in [
            (String::new(), "no key in it"),
            ("# only words\n".to_owned(), "no key in it"),
            ("chat".to_owned(), "line 1 is not"),
            (format!("\n\nchat {hash} more"), "line 3 is not"),
            (format!("chat {}", &hash[1..]), "64 hexadecimal digits"),
            (format!("chat {}zz", &hash[2..]), "64 hexadecimal digits"),
            (format!("chat +{}", &hash[1..]), "64 hexadecimal digits"),
            (format!("chät {hash}"), "no name for a key"),
            (format!("{} {hash}", "a".repeat(65)), "no name for a key"),
            (format!("a {hash}\nb {hash}"), "line 2 has the hash of a line before"),
            ("chat sb_secret".to_owned(), "make a new key"),
        ] {
            let error = ApiKeys::parse(&text).unwrap_err();
            assert!(error.contains(said), "{text:?} says {error}");
            assert!(!error.contains("sb_secret") && !error.contains(&hash));
        }
        assert!(ApiKeys::parse(&format!("{} {hash}", "a".repeat(64))).is_ok());
        assert!(ApiKey::generate("two words").is_err() && ApiKey::generate("").is_err());
    }
}
