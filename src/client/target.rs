//! Paths and queries, with ids percent-encoded.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986, section 2.3: nothing between here and the server may take a
/// part of an id for something else.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path and query of a request, built from the left.
#[derive(Debug, Clone)]
pub(super) struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    /// `/v1/` and `words`, which need no encoding.
    pub(super) fn v1(words: &str) -> Self {
        Self { text: format!("/v1/{words}"), has_query: false }
    }

    /// `/v1/conversations/{conversation}`.
    pub(super) fn conversation(conversation: &str) -> Self {
        Self::v1("conversations").then(conversation)
    }

    /// One more segment of the path.
    pub(super) fn then(mut self, segment: &str) -> Self {
        assert!(!self.has_query, "invariant: the path is whole before the query begins");
        self.text.push('/');
        self.text.extend(utf8_percent_encode(segment, ESCAPED));
        self
    }

    /// One more parameter of the query.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let separator = if self.has_query { '&' } else { '?' };
        self.has_query = true;
        write!(self.text, "{separator}{name}={}", utf8_percent_encode(value, ESCAPED))
            .expect("invariant: a String takes any text");
        self
    }

    /// One more parameter of the query, if it has a value.
    pub(super) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The part of a list that begins after `after`, as long as the server allows: 1,000 items.
    pub(super) fn part(self, after: Option<&str>) -> Self {
        self.with("limit", "1000").with_some("after", after)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_percent_encoded_in_paths_and_queries() {
        let target = Target::conversation("a/b?c#d %2e").then("messages").then("ü+&=;");
        assert_eq!(target.as_str(), "/v1/conversations/a%2Fb%3Fc%23d%20%252e/messages/%C3%BC%2B%26%3D%3B");
        let target =
            Target::conversation("-._~").then("receipts").with("message", "a&b").with("message", "+ ");
        assert_eq!(target.as_str(), "/v1/conversations/-._~/receipts?message=a%26b&message=%2B%20");
    }

    #[test]
    fn a_parameter_without_a_value_is_left_out() {
        assert_eq!(Target::v1("conversations").part(None).as_str(), "/v1/conversations?limit=1000");
        assert_eq!(
            Target::v1("conversations").part(Some("x=")).as_str(),
            "/v1/conversations?limit=1000&after=x%3D"
        );
    }
}
