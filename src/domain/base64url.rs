//! Bytes as text that may stand in an entity tag, without padding, in one spelling only.

/// RFC 4648, section 5: every one of these may stand in an entity tag.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes bytes as text.
pub(super) fn push(text: &mut Vec<u8>, bytes: &[u8]) {
    let char = |group: u32, at: u32| ALPHABET[(group >> (18 - 6 * at) & 63) as usize];
    let (groups, rest) = bytes.as_chunks::<3>();
    for [first, second, third] in groups {
        let group = u32::from_be_bytes([0, *first, *second, *third]);
        text.extend_from_slice(&[char(group, 0), char(group, 1), char(group, 2), char(group, 3)]);
    }
    match rest {
        [first] => {
            let group = u32::from_be_bytes([0, *first, 0, 0]);
            text.extend_from_slice(&[char(group, 0), char(group, 1)]);
        }
        [first, second] => {
            let group = u32::from_be_bytes([0, *first, *second, 0]);
            text.extend_from_slice(&[char(group, 0), char(group, 1), char(group, 2)]);
        }
        _ => {}
    }
}

/// Reads what [`push`] wrote; none if it is something else.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0;
        for (at, char) in chunk.iter().enumerate() {
            group |= value(*char)? << (18 - 6 * at);
        }
        let [_, decoded @ ..] = group.to_be_bytes();
        let (decoded, beyond) = decoded.split_at(chunk.len() - 1);
        // One spelling only: an entity tag that decodes to the same bytes must be the same text.
        if decoded.is_empty() || beyond.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(decoded);
    }
    Some(bytes)
}

/// Where a character stands in [`ALPHABET`].
fn value(char: u8) -> Option<u32> {
    let value = match char {
        b'A'..=b'Z' => char - b'A',
        b'a'..=b'z' => char - b'a' + 26,
        b'0'..=b'9' => char - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_the_value_that_it_stands_for() {
        let values = (0..=u8::MAX).map(value);
        let places = (0..=u8::MAX).map(|char| ALPHABET.iter().position(|&known| known == char));
        assert!(values.eq(places.map(|place| place.map(|place| u32::try_from(place).unwrap()))));
    }
}
