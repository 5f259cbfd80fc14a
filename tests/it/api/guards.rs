//! Access control for a server of the tests: one API key, keys for tokens, and what callers show.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use seenby::{
    access::{ApiKey, Keyring, TokenLimits, sign},
    domain::{Timestamp, UserId},
};

use super::running::BEGIN_MS;

/// A JWKS with one secret, `AAAA…`.
const JWKS: &str = r#"{"keys":[{"kty":"oct","kid":"a","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;

/// The same with another secret.
const OTHER_JWKS: &str =
    r#"{"keys":[{"kty":"oct","kid":"a","k":"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"}]}"#;

/// Files of keys, and the keys in force.
pub(crate) struct Guards {
    directory: tempfile::TempDir,
    key: ApiKey,
    pub(crate) keys: Arc<Keyring>,
}

impl Guards {
    /// With keys for apps, for users, or for both.
    pub(crate) fn new(apps: bool, users: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = ApiKey::generate("chat").unwrap();
        let file = |name: &str, text: &str| -> PathBuf {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let api_keys = apps.then(|| file("api.keys", &key.line()));
        let tokens = file("tokens.jwks", JWKS);
        file("other.jwks", OTHER_JWKS);
        let keys = Keyring::open(api_keys, users.then_some(tokens), TokenLimits::default()).unwrap();
        Self { directory, key, keys: Arc::new(keys) }
    }

    /// `Bearer` and the API key.
    pub(crate) fn app(&self) -> String {
        format!("Bearer {}", self.key.secret())
    }

    /// `Bearer` and a good token for a user.
    pub(crate) fn user(&self, name: &str) -> String {
        self.token("tokens.jwks", name, BEGIN_MS)
    }

    /// `Bearer` and a token that has been no good for an hour.
    pub(crate) fn expired(&self, name: &str) -> String {
        self.token("tokens.jwks", name, BEGIN_MS - 2 * 3_600_000)
    }

    /// `Bearer` and a token that somebody else signed.
    pub(crate) fn forged(&self, name: &str) -> String {
        self.token("other.jwks", name, BEGIN_MS)
    }

    fn token(&self, file: &str, name: &str, signed_ms: u64) -> String {
        let (path, at) = (self.directory.path().join(file), Timestamp { unix_ms: signed_ms });
        let user = UserId::new(name).unwrap();
        format!("Bearer {}", sign(&path, None, &user, Duration::from_hours(1), at).unwrap())
    }
}
