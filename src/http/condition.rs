//! `If-None-Match`: which of a screen's names the client has already.
//!
//! Reads the header field by its grammar; what an entity tag means is the domain's.

use hyper::{HeaderMap, header::IF_NONE_MATCH};

use crate::domain::Etag;

/// What the client has, compared with what there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// What there is.
    Unchanged,
    /// Something else, under this name; none if it has nothing, or nothing that can be read.
    Since(Option<Etag>),
}

impl Condition {
    /// Compares weakly, as the field asks for: a proxy may have weakened the tag. Of several names the first that
    /// can be read counts.
    pub(super) fn read(headers: &HeaderMap, current: &str) -> Self {
        let mut earlier = None;
        for value in headers.get_all(IF_NONE_MATCH) {
            let Ok(text) = value.to_str() else { continue };
            if text.trim() == "*" {
                return Self::Unchanged;
            }
            for tag in tags(text) {
                if tag == current {
                    return Self::Unchanged;
                }
                earlier = earlier.or_else(|| Etag::parse(tag));
            }
        }
        Self::Since(earlier)
    }
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
        let named = Named {
            conversation: ConversationId::new("c").unwrap(),
            message: MessageId::new("m").unwrap(),
            receipts: Some(Receipts { generation: Generation(1), read, of: 9, marks: read, hidden: 0 }),
        };
        Etag::of(&[named], EtagKey::default())
    }

    fn condition(fields: &[&str]) -> Condition {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(IF_NONE_MATCH, field.parse().unwrap());
        }
        Condition::read(&headers, &etag(1).to_string())
    }

    #[test]
    fn the_current_name_may_stand_anywhere_in_the_list() {
        let current = format!("\"{}\"", etag(1));
        for list in
            [current.clone(), format!("W/{current}"), format!("\"x\", W/\"y,z\" ,{current}"), "*".into()]
        {
            assert_eq!(condition(&[&list]), Condition::Unchanged, "{list}");
        }
        assert_eq!(condition(&["\"x\"", &current]), Condition::Unchanged);
    }

    #[test]
    fn an_earlier_name_is_read_and_anything_else_is_none() {
        assert_eq!(condition(&[&format!("\"x\", \"{}\"", etag(0))]), Condition::Since(Some(etag(0))));
        for field in [&[][..], &[""], &["x"], &["\"x"], &["\"\""], &[&etag(1).to_string()]] {
            assert_eq!(condition(field), Condition::Since(None), "{field:?}");
        }
    }
}
