//! A door for the fuzzers in `fuzz/`, and for the test that runs their corpus. Not for use.

use super::{Caller, TokenLimits, jwks::Jwks, token};
use crate::domain::Timestamp;

/// Two keys, one of each kind; nobody has the secret but whoever reads this.
const JWKS: &str = r#"{"keys":[
    {"kty":"oct","kid":"h","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"kty":"OKP","kid":"e","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The bytes as a token and as a file of keys. Who is let in by a token is let in by no shorter part of it.
pub fn credentials(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let keys = Jwks::parse(JWKS).expect("invariant: a set of keys");
    let (limits, now) = (TokenLimits::default(), Timestamp { unix_ms: 1_800_000_000_000 });
    let user = |text: &str| token::user(&keys, &limits, text, now).map(Caller::User);
    if user(text).is_ok() {
        assert!(user(&text[..text.len() - 1]).is_err(), "{text:?} is good without its end");
    }
    let _ = Jwks::parse(text);
}
