//! Who calls: API keys of the chat's back end, tokens of its users, and the files that both are checked against.
//!
//! ```text
//! api_keys   `name sha256-of-the-key` a line; compared in constant time
//! jwks       a JWKS of HS256 and Ed25519 keys, each bound to its one algorithm
//! token      JWTs, checked by `jsonwebtoken`, with `algorithms` beneath
//! ```
//!
//! A credential goes in, a [`Caller`] comes out, or a [`Rejection`] that says no more than its owner may know. What a
//! caller may do is for `http` to say. Knows no HTTP, no route and no clock.

mod algorithms;
mod api_keys;
#[doc(hidden)]
pub mod fuzzing;
mod jwks;
mod token;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::domain::{Timestamp, UserId};

use api_keys::ApiKeys;
pub use api_keys::{ApiKey, KEY_PREFIX};
use jwks::Jwks;
pub use token::{SignError, sign};

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Whoever can connect, where there is no access control: all calls.
    Anybody,
    /// The chat's back end, by the name of its API key: all calls.
    App(Arc<str>),
    /// An end user's client, by its token: some calls, on its own behalf.
    User(UserId),
}

/// Why a credential is not taken, in words for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It begins like an API key.
    #[error("the API key is not one that this server knows")]
    UnknownKey,
    /// It is neither.
    #[error("the credential is neither an API key nor a token")]
    NotAToken,
    /// The server has no keys for tokens.
    #[error("this server takes no user tokens")]
    NoTokens,
    /// It is over the limit.
    #[error("the token is too long")]
    TooLong,
    /// Its header names no key of ours, or none where there are several.
    #[error("the token's key is not one that this server knows")]
    UnknownTokenKey,
    /// Its algorithm is not that of its key, or its header asks for what we do not do.
    #[error("the token's header is not one that this server takes")]
    WrongHeader,
    /// Its signature is not by its key, or its claims are not what they must be.
    #[error("the token's signature or claims are not valid: it needs 'sub', 'exp' and 'aud' = 'seenby'")]
    Invalid,
    /// Its end has come.
    #[error("the token has expired")]
    Expired,
    /// Its beginning has not.
    #[error("the token is not valid yet")]
    NotYet,
    /// It lives longer than a token may.
    #[error("the token expires too far ahead")]
    TooFarAhead,
}

/// What holds for tokens beside their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLimits {
    /// How many bytes a token may have.
    pub bytes_max: usize,
    /// How far a token's times may be off, for clocks that are not quite the same.
    pub leeway: Duration,
    /// How far ahead a token's end may be.
    pub ttl_max: Duration,
}

impl Default for TokenLimits {
    /// 4 KiB, 30 seconds, a year.
    fn default() -> Self {
        Self { bytes_max: 4 << 10, leeway: Duration::from_secs(30), ttl_max: Duration::from_hours(365 * 24) }
    }
}

/// Why a file of keys cannot be used. Names the file, and never says what stands in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    what: String,
}

impl KeyFileError {
    fn new(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into() }
    }
}

/// The keys in force, and the files that they are read from.
#[derive(Debug, Default)]
pub struct Keyring {
    api_keys: Option<PathBuf>,
    token_keys: Option<PathBuf>,
    limits: TokenLimits,
    keys: RwLock<Arc<Keys>>,
}

#[derive(Debug, Default)]
struct Keys {
    api: Option<ApiKeys>,
    token: Option<Jwks>,
}

impl Keys {
    fn read(api: Option<&Path>, token: Option<&Path>) -> Result<Self, KeyFileError> {
        Ok(Self { api: api.map(ApiKeys::read).transpose()?, token: token.map(Jwks::read).transpose()? })
    }
}

impl Keyring {
    /// Reads the files. Without either there is no access control: every caller is [`Caller::Anybody`].
    pub fn open(
        api_keys: Option<PathBuf>,
        token_keys: Option<PathBuf>,
        limits: TokenLimits,
    ) -> Result<Self, KeyFileError> {
        let keys = Keys::read(api_keys.as_deref(), token_keys.as_deref())?;
        Ok(Self { api_keys, token_keys, limits, keys: RwLock::new(Arc::new(keys)) })
    }

    /// Reads the files again. If one of them cannot be used, the keys of before stay in force, all of them.
    pub fn reload(&self) -> Result<(), KeyFileError> {
        let keys = Keys::read(self.api_keys.as_deref(), self.token_keys.as_deref())?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    /// Whether callers must show who they are.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.api_keys.is_some() || self.token_keys.is_some()
    }

    /// Who shows this credential at `now`.
    pub fn caller(&self, credential: &str, now: Timestamp) -> Result<Caller, Rejection> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        if credential.starts_with(KEY_PREFIX) {
            let name = keys.api.as_ref().and_then(|api| api.name_of(credential));
            return name.map(Caller::App).ok_or(Rejection::UnknownKey);
        }
        let token = keys.token.as_ref().ok_or(Rejection::NoTokens)?;
        token::user(token, &self.limits, credential, now).map(Caller::User)
    }
}
