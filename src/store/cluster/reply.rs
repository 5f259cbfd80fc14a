//! What nodes answer, taken apart.

use redis::Value;

pub(super) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(int) => Some(*int),
        _ => None,
    }
}

pub(super) fn array(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
}

/// A number that stands as text or as a number.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(int) => u64::try_from(*int).ok(),
        value => std::str::from_utf8(bytes(value)?).ok()?.parse().ok(),
    }
}

/// An id that was checked when it was written.
pub(super) fn id<T>(value: &Value, new: impl FnOnce(String) -> Option<T>) -> Option<T> {
    text(value).and_then(new)
}
