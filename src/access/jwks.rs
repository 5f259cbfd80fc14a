//! The keys that user tokens are signed with: a JSON Web Key Set (RFC 7517) of `oct` and `OKP` keys.
//!
//! A key has one algorithm for good, HS256 or Ed25519, by its kind; what a token's header says is held against it and
//! never chooses. Members that we do not know are passed over, as the RFC wants it; keys of a kind that we do not know
//! are refused by name, since who put them there expects them to work.

use std::{collections::HashSet, fmt, fs, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{SigningKey, VerifyingKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::Deserialize;

use super::{KeyFileError, algorithms};

/// The least that RFC 7518, section 3.2, lets a secret for HS256 have.
const SECRET_BYTES_MIN: usize = 32;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    k: Option<String>,
    x: Option<String>,
    d: Option<String>,
}

/// A key and its one algorithm.
pub(super) struct TokenKey {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
    /// For signing; none for a public key.
    pub(super) encoding: Option<EncodingKey>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kid, algorithm) = (&self.kid, &self.algorithm);
        out.debug_struct("TokenKey").field("kid", kid).field("algorithm", algorithm).finish_non_exhaustive()
    }
}

/// The keys of a file.
#[derive(Debug)]
pub(super) struct Jwks(Vec<TokenKey>);

impl Jwks {
    pub(super) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let wrong = |what: String| KeyFileError::new(path, what);
        let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(wrong)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        algorithms::install();
        // What serde says may quote a value, and any value here may be a secret: the place is all that is told.
        let document: Document = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!(
                "line {line}, column {column}: this is no JSON Web Key Set: {{\"keys\":[{{\"kty\":…}},…]}}"
            )
        })?;
        if document.keys.is_empty() {
            return Err("there is no key in it".to_owned());
        }
        let several = document.keys.len() > 1;
        let mut kids = HashSet::new();
        let mut keys = Vec::new();
        for (at, entry) in document.keys.into_iter().enumerate() {
            let key = entry.key().map_err(|what| format!("keys[{at}] {what}"))?;
            match &key.kid {
                None if several => {
                    return Err(format!("keys[{at}] needs a `kid`, as there are several keys"));
                }
                Some(kid) if !kids.insert(kid.clone()) => {
                    return Err(format!("keys[{at}] has the `kid` of a key before"));
                }
                _ => {}
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The key that a token's header names, or the only one.
    pub(super) fn key(&self, kid: Option<&str>) -> Option<&TokenKey> {
        match (kid, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.kid.as_deref() == kid),
        }
    }

    /// The first key that can sign, or the one called `kid`.
    pub(super) fn signing(&self, kid: Option<&str>) -> Option<&TokenKey> {
        let wanted = |key: &&TokenKey| kid.is_none() || key.kid.as_deref() == kid;
        self.0.iter().filter(wanted).find(|key| key.encoding.is_some())
    }
}

impl Entry {
    fn key(self) -> Result<TokenKey, String> {
        if self.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err("is not for signatures: its `use` is not \"sig\"".to_owned());
        }
        match self.kty.as_str() {
            "oct" => self.secret(),
            "OKP" => self.ed25519(),
            _ => Err("is of a kind that is not taken: `kty` is \"oct\" for HS256 or \"OKP\" for Ed25519"
                .to_owned()),
        }
    }

    fn check_alg(&self, known: &[&str]) -> Result<(), String> {
        if self.alg.as_deref().is_none_or(|alg| known.contains(&alg)) {
            return Ok(());
        }
        Err(format!(
            "has an `alg` that a key of its kind is not for; leave it out, or write \"{}\"",
            known[0]
        ))
    }

    fn secret(self) -> Result<TokenKey, String> {
        self.check_alg(&["HS256"])?;
        let secret = bytes("k", self.k.as_deref())?;
        if secret.starts_with(b"-----BEGIN") {
            return Err(
                "has a PEM file as its secret: whoever knows a public key could sign with it".to_owned()
            );
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err(format!(
                "has a secret of {} bytes, and HS256 needs {SECRET_BYTES_MIN} or more",
                secret.len()
            ));
        }
        Ok(TokenKey {
            kid: self.kid,
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(&secret),
            encoding: Some(EncodingKey::from_secret(&secret)),
        })
    }

    fn ed25519(self) -> Result<TokenKey, String> {
        self.check_alg(&["EdDSA", "Ed25519"])?;
        if self.crv.as_deref() != Some("Ed25519") {
            return Err("is on a curve that is not taken: `crv` is \"Ed25519\"".to_owned());
        }
        let public: [u8; 32] =
            bytes("x", self.x.as_deref())?.try_into().map_err(|_| "has an `x` that is not 32 bytes long")?;
        let is_weak = VerifyingKey::from_bytes(&public).map_or(true, |key| key.is_weak());
        if is_weak {
            return Err("has an `x` that is no public key of Ed25519".to_owned());
        }
        let encoding = match &self.d {
            None => None,
            Some(seed) => {
                let seed: [u8; 32] =
                    bytes("d", Some(seed))?.try_into().map_err(|_| "has a `d` that is not 32 bytes long")?;
                if SigningKey::from_bytes(&seed).verifying_key().to_bytes() != public {
                    return Err("has a `d` and an `x` that do not belong together".to_owned());
                }
                Some(EncodingKey::from_ed_der(&seed))
            }
        };
        let decoding = DecodingKey::from_ed_der(&public);
        Ok(TokenKey { kid: self.kid, algorithm: Algorithm::EdDSA, decoding, encoding })
    }
}

fn bytes(name: &str, text: Option<&str>) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("has no `{name}`"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("has a `{name}` that is not base64url without padding"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(keys: &Value) -> String {
        Jwks::parse(&json!({ "keys": keys }).to_string()).unwrap_err()
    }

    fn secret(length: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![7; length])
    }

    #[test]
    fn a_secret_has_32_bytes_or_more() {
        let keys = |length| json!([{ "kty": "oct", "k": secret(length) }]);
        assert!(Jwks::parse(&json!({ "keys": keys(32) }).to_string()).is_ok());
        assert!(error(&keys(31)).contains("31 bytes"));
    }

    #[test]
    fn the_key_of_the_standards_example_is_taken_and_can_sign() {
        // RFC 8037, appendix A.1.
        let (d, x) =
            ("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let jwks = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "a", "alg": "EdDSA", "use": "sig", "x": x, "key_ops": ["verify"] },
            { "kty": "OKP", "crv": "Ed25519", "kid": "b", "alg": "Ed25519", "x": x, "d": d },
        ] });
        let jwks = Jwks::parse(&jwks.to_string()).unwrap();
        assert_eq!(jwks.signing(None).unwrap().kid.as_deref(), Some("b"));
        assert!(
            jwks.signing(Some("a")).is_none() && jwks.key(None).is_none() && jwks.key(Some("c")).is_none()
        );
        assert_eq!(jwks.key(Some("a")).unwrap().algorithm, Algorithm::EdDSA);
        assert!(!format!("{jwks:?}").contains(d));
    }

    #[test]
    fn what_is_no_key_of_ours_is_named_and_not_quoted() {
        let okp = |x: &str| json!([{ "kty": "OKP", "crv": "Ed25519", "x": x }]);
        let pem = URL_SAFE_NO_PAD.encode(format!("-----BEGIN PUBLIC KEY-----\n{}", "A".repeat(64)));
        let long = secret(40);
        for (keys, said) in [
            (json!([]), "no key in it"),
            (json!([{ "kty": "RSA", "n": long, "e": "AQAB" }]), "keys[0] is of a kind"),
            (json!([{ "kty": "oct" }]), "no `k`"),
            (json!([{ "kty": "oct", "k": format!("{long}=") }]), "base64url"),
            (json!([{ "kty": "oct", "k": long, "alg": "HS512" }]), "`alg`"),
            (json!([{ "kty": "oct", "k": long, "alg": "none" }]), "`alg`"),
            (json!([{ "kty": "oct", "k": long, "use": "enc" }]), "`use`"),
            (json!([{ "kty": "oct", "k": pem }]), "PEM"),
            (
                json!([{ "kty": "oct", "k": long, "kid": "a" }, { "kty": "oct", "k": long }]),
                "keys[1] needs a `kid`",
            ),
            (
                json!([{ "kty": "oct", "k": long, "kid": "a" }, { "kty": "oct", "k": long, "kid": "a" }]),
                "of a key before",
            ),
            (json!([{ "kty": "OKP", "crv": "X25519", "x": secret(32) }]), "`crv`"),
            (okp(&secret(31)), "32 bytes"),
            // All zeroes is a point of small order: anything verifies against such.
            (okp(&URL_SAFE_NO_PAD.encode([0; 32])), "no public key"),
            (
                json!([{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": secret(32) }]),
                "belong together",
            ),
        ] {
            let error = error(&keys);
            assert!(error.contains(said), "{keys} says {error}");
            assert!(!error.contains(&long));
        }
        let text = format!(r#"{{"keys":[{{"kty":"oct","k":7,"secret":"{long}"}}]}}"#);
        assert!(!Jwks::parse(&text).unwrap_err().contains(&long));
        assert!(Jwks::parse("-----BEGIN PUBLIC KEY-----").unwrap_err().contains("no JSON Web Key Set"));
    }
}
