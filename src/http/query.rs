//! The query of a request: strict, and named by the route.
//!
//! Which parameters a call has, the route table says; whatever else stands in the query, or stands there twice,
//! is refused. Knows no call by name. Percent-decoding is here too, for `route`, which decodes paths.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2};

use super::problem::Failure;
use crate::wire::Code;

/// A parameter that a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Whether it may stand there more than once.
    pub(super) repeats: bool,
    /// Whether it is an id, so that what cannot be decoded is a bad one.
    pub(super) is_id: bool,
    /// What it is for.
    pub(super) about: &'static str,
}

/// The parameters of a request, decoded: mostly what stands there already, which is not copied.
#[derive(Debug)]
pub(super) struct Query<'a> {
    known: &'static [Parameter],
    /// The place of each among those that are known, and its value.
    given: Vec<(usize, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads a query that may have these parameters.
    pub(super) fn parse(text: Option<&'a str>, known: &'static [Parameter]) -> Result<Self, Failure> {
        let text = text.unwrap_or_default();
        // Nearly always nothing is encoded, which is seen at once for all of it.
        let is_plain = memchr2(b'%', b'+', text.as_bytes()).is_none();
        // Most pairs of a long query are of a few bytes, an id each.
        let mut query = Self { known, given: Vec::with_capacity(1 + text.len() / 12) };
        let mut first = 0;
        for end in memchr_iter(b'&', text.as_bytes()).chain([text.len()]) {
            if first < end {
                query.take(&text[first..end], is_plain)?;
            }
            first = end + 1;
        }
        Ok(query)
    }

    fn take(&mut self, pair: &'a str, is_plain: bool) -> Result<(), Failure> {
        let mut known = self.known.iter().enumerate();
        let plain = |(at, parameter): (usize, &Parameter)| {
            let value = pair.strip_prefix(parameter.name)?.strip_prefix('=')?;
            Some((at, value.into()))
        };
        let found = if is_plain { known.find_map(plain) } else { None };
        let (at, value) = found.map_or_else(|| self.decode(pair), Ok)?;
        let Parameter { name, repeats, .. } = self.known[at];
        if !repeats && self.given.iter().any(|(given, _)| *given == at) {
            return Err(bad(format!("the parameter '{name}' stands there twice")));
        }
        self.given.push((at, value));
        Ok(())
    }

    fn decode(&self, pair: &'a str) -> Result<(usize, Cow<'a, str>), Failure> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name, true)
            .ok_or_else(|| bad("a parameter's name is not percent-encoded UTF-8".to_owned()))?;
        let Some(at) = self.known.iter().position(|parameter| parameter.name == name) else {
            return Err(bad(format!("there is no parameter '{}' here", shown(&name))));
        };
        let value = decoded(value, true).ok_or_else(|| {
            let detail = format!("the parameter '{name}' is not percent-encoded UTF-8");
            Failure::new(if self.known[at].is_id { Code::BadId } else { Code::BadRequest }, detail)
        })?;
        Ok((at, value))
    }

    /// The value of a parameter that does not repeat.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of a parameter, in their order.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> + Clone {
        let asked = self.known.iter().position(|parameter| parameter.name == name);
        self.given.iter().filter(move |(at, _)| Some(*at) == asked).map(|(_, value)| value.as_ref())
    }

    /// Bytes of all values together.
    pub(super) fn bytes(&self) -> usize {
        self.given.iter().map(|(_, value)| value.len()).sum()
    }

    /// `limit`: 1 to `most`, `default` if left out.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Failure> {
        let Some(text) = self.one("limit") else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|limit| digits && (1..=most).contains(limit))
            .ok_or_else(|| bad(format!("'limit' is a whole number from 1 to {most}")))
    }
}

fn bad(detail: String) -> Failure {
    Failure::new(Code::BadRequest, detail)
}

/// The beginning of what a client sent, short enough to be sent back.
pub(super) fn shown(text: &str) -> &str {
    const BYTES_MAX: usize = 64;
    &text[..text.floor_char_boundary(BYTES_MAX)]
}

/// Undoes percent-encoding; none if a percent sign is not followed by two hexadecimal digits, or if what comes
/// out is not UTF-8.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    let is_plain = |byte| byte != b'%' && !(plus_is_space && byte == b'+');
    if text.bytes().all(is_plain) {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter { name: "message", repeats: true, is_id: true, about: "" },
        Parameter { name: "limit", repeats: false, is_id: false, about: "" },
    ];

    fn parsed(text: &str) -> Result<Query<'_>, Failure> {
        Query::parse(Some(text), KNOWN)
    }

    fn code(text: &str) -> Code {
        parsed(text).err().unwrap().code()
    }

    #[test]
    fn values_are_decoded_in_their_order() {
        let query = parsed("message=a+b&message=a%2Bb&limit=7&message=%E6%B6%88&message=").unwrap();
        assert_eq!(query.all("message").collect::<Vec<_>>(), ["a b", "a+b", "消", ""]);
        assert_eq!(query.limit(200, 1000).unwrap(), 7);
        assert!(Query::parse(None, &[]).is_ok());
        assert!(Query::parse(Some(""), &[]).is_ok());
    }

    #[test]
    fn what_cannot_be_decoded_is_a_bad_id_where_an_id_stands() {
        for bad in ["%", "%4", "%zz", "%FF", "a%C3", "%+1"] {
            assert_eq!(code(&format!("message={bad}")), Code::BadId, "{bad}");
            assert_eq!(code(&format!("limit={bad}")), Code::BadRequest, "{bad}");
            assert_eq!(code(&format!("{bad}=1")), Code::BadRequest, "{bad}");
        }
    }

    #[test]
    fn an_unknown_or_repeated_parameter_is_named() {
        let unknown = parsed("colour=red").err().unwrap();
        assert_eq!(unknown.code(), Code::BadRequest);
        assert!(unknown.detail().contains("'colour'"));
        let repeated = parsed("limit=1&limit=1").err().unwrap();
        assert_eq!(repeated.code(), Code::BadRequest);
        assert!(repeated.detail().contains("'limit'"));
    }

    #[test]
    fn a_limit_is_1_to_1000_and_200_if_left_out() {
        let limit = |text: &str| parsed(text).unwrap().limit(200, 1000).ok();
        assert_eq!(limit(""), Some(200));
        assert_eq!((limit("limit=1"), limit("limit=1000")), (Some(1), Some(1000)));
        for bad in ["0", "1001", "", "-1", "%2B1", "1.0", "x", "99999999999999999999"] {
            assert_eq!(limit(&format!("limit={bad}")), None, "{bad}");
        }
    }

    #[test]
    fn what_is_sent_back_is_cut_between_characters() {
        assert_eq!(shown(&"é".repeat(100)).len(), 64);
        assert_eq!(shown(&format!("a{}", "é".repeat(100))).len(), 63);
    }
}
