//! User tokens: JWTs (RFC 7519) by the rules of RFC 8725.
//!
//! The key comes from our file alone, by `kid`; its algorithm is its own; what a header offers (`jku`, `jwk`, `x5u`) is
//! never looked at. `jsonwebtoken` reads the parts, checks signature, `aud` and what is required; times are held against
//! the time that the caller brings along.

use std::{path::Path, time::Duration};

use jsonwebtoken::{Header, Validation};
use serde::{Deserialize, Serialize};

use super::{KeyFileError, Rejection, TokenLimits, jwks::Jwks};
use crate::domain::{Timestamp, UserId};

/// Whom tokens are for.
const AUDIENCE: &str = "seenby";

/// What is read of a token. A date is a number, and may have a fraction (RFC 7519, section 2).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

/// The user that a token stands for at `now`.
pub(super) fn user(
    keys: &Jwks,
    limits: &TokenLimits,
    token: &str,
    now: Timestamp,
) -> Result<UserId, Rejection> {
    if token.len() > limits.bytes_max {
        return Err(Rejection::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Rejection::NotAToken)?;
    // An extension that must be understood (RFC 7515, section 4.1.11) is one that we do not understand.
    if header.crit.is_some() {
        return Err(Rejection::WrongHeader);
    }
    let key = keys.key(header.kid.as_deref()).ok_or(Rejection::UnknownTokenKey)?;
    if header.alg != key.algorithm {
        return Err(Rejection::WrongHeader);
    }
    let mut validation = Validation::new(key.algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "sub", "aud"]);
    // Below, by the clock of everything else.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation);
    let claims = claims.map_err(|_| Rejection::Invalid)?.claims;
    check_times(&claims, limits, now)?;
    UserId::new(claims.sub).map_err(|_| Rejection::Invalid)
}

#[expect(clippy::cast_precision_loss, reason = "times of this era are whole milliseconds in 52 bits")]
fn check_times(claims: &Claims, limits: &TokenLimits, now: Timestamp) -> Result<(), Rejection> {
    let now = now.unix_ms as f64 / 1e3;
    let leeway = limits.leeway.as_secs_f64();
    if claims.exp <= now - leeway {
        return Err(Rejection::Expired);
    }
    if claims.exp > now + limits.ttl_max.as_secs_f64() + leeway {
        return Err(Rejection::TooFarAhead);
    }
    if claims.nbf.is_some_and(|begin| begin > now + leeway) {
        return Err(Rejection::NotYet);
    }
    Ok(())
}

/// Why no token was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It has only public keys, or none of that name.
    #[error("{0}: there is no key in it that can sign{1}")]
    NoKey(String, String),
    /// The library says no.
    #[error("the token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Signs a token for `user`, good for `ttl` from `now` on, with the first key in the file at `keys` that can, or the one
/// called `kid`. For trying things out: a chat signs its tokens itself.
pub fn sign(
    keys: &Path,
    kid: Option<&str>,
    user: &UserId,
    ttl: Duration,
    now: Timestamp,
) -> Result<String, SignError> {
    #[derive(Serialize)]
    struct Signed<'a> {
        sub: &'a str,
        aud: &'a str,
        iat: u64,
        exp: u64,
    }

    let jwks = Jwks::read(keys)?;
    let key = jwks.signing(kid).ok_or_else(|| {
        let named = kid.map(|kid| format!(" and is called {kid:?}")).unwrap_or_default();
        SignError::NoKey(keys.display().to_string(), named)
    })?;
    let encoding = key.encoding.as_ref().expect("invariant: a key that can sign");
    let iat = now.unix_ms / 1000;
    let claims = Signed { sub: user.as_str(), aud: AUDIENCE, iat, exp: iat.saturating_add(ttl.as_secs()) };
    let header = Header { kid: key.kid.clone(), ..Header::new(key.algorithm) };
    jsonwebtoken::encode(&header, &claims, encoding).map_err(SignError::Sign)
}

#[cfg(test)]
mod tests;
