//! Tokens, good and bad, one by one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;

/// Seconds since the epoch.
const NOW: u64 = 1_700_000_000;
const SECRET: [u8; 32] = [7; 32];
/// RFC 8037, appendix A.1.
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const PRIVATE: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

fn keys() -> Jwks {
    let keys = json!({ "keys": [
        { "kty": "oct", "kid": "h", "k": URL_SAFE_NO_PAD.encode(SECRET) },
        { "kty": "OKP", "kid": "e", "crv": "Ed25519", "x": PUBLIC },
    ] });
    Jwks::parse(&keys.to_string()).unwrap()
}

fn at(unix_s: u64) -> Timestamp {
    Timestamp { unix_ms: unix_s * 1000 }
}

fn checked_at(token: &str, unix_s: u64) -> Result<UserId, Rejection> {
    user(&keys(), &TokenLimits::default(), token, at(unix_s))
}

fn checked(token: &str) -> Result<UserId, Rejection> {
    checked_at(token, NOW)
}

/// A token with this header and these claims, signed by HMAC with `secret`, whatever its header says.
fn made(header: &Value, claims: &str, secret: &[u8]) -> String {
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

fn good_header() -> Value {
    json!({ "alg": "HS256", "kid": "h", "typ": "JWT" })
}

fn good_claims() -> Value {
    json!({ "sub": "alice", "aud": "seenby", "exp": NOW + 60 })
}

fn with_claims(claims: &Value) -> String {
    made(&good_header(), &claims.to_string(), &SECRET)
}

/// The good claims with one of them changed, or taken out by `null`.
fn but(name: &str, value: Value) -> String {
    let mut claims = good_claims();
    match value {
        Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
        value => claims[name] = value,
    }
    with_claims(&claims)
}

#[test]
fn a_good_token_stands_for_its_user() {
    let alice = UserId::new("alice").unwrap();
    for token in [
        with_claims(&good_claims()),
        but("aud", json!(["other", "seenby"])),
        but("exp", json!(1.700_000_060_5e9)),
        but("nbf", json!(NOW)),
        but("admin", json!(true)),
    ] {
        assert_eq!(checked(&token), Ok(alice.clone()), "{token}");
    }
}

#[test]
fn what_is_signed_here_is_taken_here_by_either_algorithm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let bob = UserId::new("böb").unwrap();
    for key in [
        json!({ "kty": "oct", "kid": "h", "k": URL_SAFE_NO_PAD.encode(SECRET) }),
        json!({ "kty": "OKP", "kid": "e", "crv": "Ed25519", "x": PUBLIC, "d": PRIVATE }),
    ] {
        std::fs::write(&path, json!({ "keys": [key] }).to_string()).unwrap();
        let token = sign(&path, None, &bob, Duration::from_mins(1), at(NOW)).unwrap();
        assert_eq!(checked(&token), Ok(bob.clone()));
        let error = sign(&path, Some("x"), &bob, Duration::from_mins(1), at(NOW)).unwrap_err();
        assert!(error.to_string().contains("called \"x\""), "{error}");
    }
}

#[test]
fn no_header_chooses_its_key_or_its_algorithm() {
    let claims = good_claims().to_string();
    let public = URL_SAFE_NO_PAD.decode(PUBLIC).unwrap();
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode([1; 32]) });
    for (header, secret, rejection) in [
        (json!({ "alg": "none", "kid": "h" }), &SECRET[..], Rejection::NotAToken),
        (json!({ "alg": "NONE", "kid": "h" }), &SECRET, Rejection::NotAToken),
        (json!({ "kid": "h" }), &SECRET, Rejection::NotAToken),
        // The public key as a secret, which everybody has.
        (json!({ "alg": "HS256", "kid": "e" }), &public, Rejection::WrongHeader),
        (json!({ "alg": "HS256", "kid": "e" }), PUBLIC.as_bytes(), Rejection::WrongHeader),
        (json!({ "alg": "EdDSA", "kid": "h" }), &SECRET, Rejection::WrongHeader),
        (json!({ "alg": "HS512", "kid": "h" }), &SECRET, Rejection::WrongHeader),
        (json!({ "alg": "RS256", "kid": "h" }), &SECRET, Rejection::WrongHeader),
        (json!({ "alg": "EdDSA", "kid": "e" }), &SECRET, Rejection::Invalid),
        (json!({ "alg": "HS256" }), &SECRET, Rejection::UnknownTokenKey),
        (json!({ "alg": "HS256", "kid": "" }), &SECRET, Rejection::UnknownTokenKey),
        (json!({ "alg": "HS256", "kid": "H" }), &SECRET, Rejection::UnknownTokenKey),
        (json!({ "alg": "HS256", "kid": "../h" }), &SECRET, Rejection::UnknownTokenKey),
        (json!({ "alg": "HS256", "kid": "h", "crit": ["exp"] }), &SECRET, Rejection::WrongHeader),
        (json!({ "alg": "HS256", "kid": "h", "jwk": jwk }), &[1; 32], Rejection::Invalid),
        (json!({ "alg": "HS256", "kid": "h", "jku": "https://evil.example" }), &[1; 32], Rejection::Invalid),
        (json!({ "alg": "HS256", "kid": "h" }), b"", Rejection::Invalid),
    ] {
        assert_eq!(checked(&made(&header, &claims, secret)), Err(rejection), "{header}");
    }
}

#[test]
fn without_a_kid_the_only_key_is_meant() {
    let one = json!({ "keys": [{ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET) }] });
    let one = Jwks::parse(&one.to_string()).unwrap();
    let check = |token: &str| user(&one, &TokenLimits::default(), token, at(NOW)).is_ok();
    let claims = good_claims().to_string();
    assert!(check(&made(&json!({ "alg": "HS256" }), &claims, &SECRET)));
    assert!(!check(&made(&json!({ "alg": "HS256", "kid": "h" }), &claims, &SECRET)), "it has no name");
}

#[test]
fn claims_are_what_they_must_be() {
    for (name, value) in [
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!(["alice"])),
        ("sub", json!(".")),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("a".repeat(129))),
        ("aud", Value::Null),
        ("aud", json!("")),
        ("aud", json!("Seenby")),
        ("aud", json!("seenby2")),
        ("aud", json!([])),
        ("aud", json!(["other"])),
        ("aud", json!(7)),
        ("exp", Value::Null),
        ("exp", json!((NOW + 60).to_string())),
        ("exp", json!("never")),
        ("exp", json!(true)),
        ("exp", json!([NOW + 60])),
        ("exp", json!(-1)),
        ("nbf", json!("soon")),
    ] {
        assert_eq!(checked(&but(name, value.clone())), Err(Rejection::Invalid), "{name}: {value}");
    }
    for claims in ["", "{", "null", "[]", "7", r#"{"sub":"alice"}"#] {
        assert_eq!(checked(&made(&good_header(), claims, &SECRET)), Err(Rejection::Invalid), "{claims}");
    }
    let twice = format!(r#"{{"sub":"alice","sub":"bob","aud":"seenby","exp":{}}}"#, NOW + 60);
    assert_eq!(checked(&made(&good_header(), &twice, &SECRET)), Err(Rejection::Invalid));
}

#[test]
fn times_are_held_to_the_leeway_and_no_further() {
    let TokenLimits { leeway, ttl_max, .. } = TokenLimits::default();
    let (leeway, ttl_max) = (leeway.as_secs(), ttl_max.as_secs());
    let token = |exp: u64| but("exp", json!(exp));
    assert!(checked(&token(NOW - leeway + 1)).is_ok());
    assert_eq!(checked(&token(NOW - leeway)), Err(Rejection::Expired));
    assert_eq!(checked(&token(0)), Err(Rejection::Expired));
    assert!(checked(&token(NOW + ttl_max + leeway)).is_ok());
    assert_eq!(checked(&token(NOW + ttl_max + leeway + 1)), Err(Rejection::TooFarAhead));
    for far in [json!(u64::MAX), json!(1e18), json!(9_007_199_254_740_992_u64)] {
        assert_eq!(checked(&but("exp", far)), Err(Rejection::TooFarAhead));
    }
    for huge in [json!(1e300), json!(2e19)] {
        assert_eq!(checked(&but("exp", huge)), Err(Rejection::Invalid));
    }
    let from = |begin: u64| but("nbf", json!(begin));
    assert!(checked(&from(NOW + leeway)).is_ok());
    assert_eq!(checked(&from(NOW + leeway + 1)), Err(Rejection::NotYet));
}

#[test]
fn what_is_cut_changed_or_too_long_is_no_token() {
    let token = with_claims(&good_claims());
    for length in 0..token.len() {
        assert!(checked(&token[..length]).is_err(), "cut to {length}");
    }
    for at in 0..token.len() {
        for other in ["A", "B", ".", "=", " "] {
            if &token[at..=at] != other {
                let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(checked(&changed).is_err(), "{other} at {at}");
            }
        }
    }
    for strange in
        [String::new(), "...".to_owned(), format!("{token}.{token}"), format!("{token}."), "é.é.é".to_owned()]
    {
        assert!(checked(&strange).is_err(), "{strange}");
    }
    let with_at_most =
        |bytes_max| user(&keys(), &TokenLimits { bytes_max, ..TokenLimits::default() }, &token, at(NOW));
    assert!(with_at_most(token.len()).is_ok());
    assert_eq!(with_at_most(token.len() - 1), Err(Rejection::TooLong));
}
