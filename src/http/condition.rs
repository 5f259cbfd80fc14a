//! `If-None-Match`: which of a screen's names the client has already.
//!
//! Reads the header field by its grammar; what an entity tag means is the domain's.

use hyper::{HeaderMap, header::IF_NONE_MATCH};

use crate::domain::Etag;

/// Whether the client has what there is. Compares weakly, as the field asks for: a proxy may have weakened the tag.
pub(super) fn is_current(headers: &HeaderMap, current: &str) -> bool {
    lists(headers).any(|list| list.trim() == "*" || tags(list).any(|tag| tag == current))
}

/// What the client has: of several names the first that can be read counts; none if it has nothing, or nothing that can
/// be read.
pub(super) fn earlier(headers: &HeaderMap) -> Option<Etag> {
    lists(headers).flat_map(tags).find_map(Etag::parse)
}

fn lists(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok())
}

/// The entity tags of a list, without quotes and weakness, up to where it is none any more.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = opened.split_once('"')?;
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConversationId, EtagKey, Generation, MessageId, Named, Receipts};

    fn etag(read: u32) -> Etag {
        let (conversation, message) = (ConversationId::new("c").unwrap(), MessageId::new("m").unwrap());
        let named = Named {
            conversation: &conversation,
            message: message.borrowed(),
            receipts: Some(Receipts { generation: Generation(1), read, of: 9, marks: read, hidden: 0 }),
        };
        Etag::of(std::iter::once(named), 1, EtagKey::default())
    }

    fn headers(fields: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(IF_NONE_MATCH, field.parse().unwrap());
        }
        headers
    }

    fn is_current(fields: &[&str]) -> bool {
        super::is_current(&headers(fields), &etag(1).to_string())
    }

    #[test]
    fn the_current_name_may_stand_anywhere_in_the_list() {
        let current = format!("\"{}\"", etag(1));
        for list in
            [current.clone(), format!("W/{current}"), format!("\"x\", W/\"y,z\" ,{current}"), "*".into()]
        {
            assert!(is_current(&[&list]), "{list}");
        }
        assert!(is_current(&["\"x\"", &current]));
    }

    #[test]
    fn an_earlier_name_is_read_and_anything_else_is_none() {
        let list = format!("\"x\", \"{}\"", etag(0));
        assert!(!is_current(&[&list]));
        assert_eq!(earlier(&headers(&[&list])), Some(etag(0)));
        for field in [&[][..], &[""], &["x"], &["\"x"], &["\"\""], &[&etag(1).to_string()]] {
            assert!(!is_current(field), "{field:?}");
            assert_eq!(earlier(&headers(field)), None, "{field:?}");
        }
    }
}
