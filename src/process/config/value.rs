//! What a setting's text may be: durations, sizes, counts, paths and addresses.
//!
//! Each kind is one [`Value`]. Limits stand in the table of settings, as text that these same parsers read.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{
    super::telemetry::{LogFilter, LogFormat},
    setting::Form,
};
use crate::{
    domain::Visibility,
    receipts::{ClusterUrl, ClusterUrlError, ReplicasMissing},
};

/// One kind of setting. Its order is that of its limits.
pub(super) trait Value: Sized + PartialOrd {
    /// What stands for a value in `--help`.
    const PLACEHOLDER: &'static str;

    /// How it is written.
    const FORM: Form = Form::One;

    /// Reads the text of a flag, a variable or a file. What is wrong with it continues a sentence.
    fn parse(text: &str) -> Result<Self, String>;
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes {
    /// How many.
    pub count: usize,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenAddress {
    /// A TCP address; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Whether the system chooses the port, another one each time.
    #[must_use]
    pub fn is_free(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.port() == 0)
    }

    /// Whether only this machine can connect: a socket file or a loopback address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => is_loopback(address.ip()),
            Self::Unix(_) => true,
        }
    }
}

/// `::ffff:127.0.0.1` is the loopback of IPv4 by another name.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(out, "http://{address}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl Value for PathBuf {
    const PLACEHOLDER: &'static str = "DIR";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("is no path".to_owned()) } else { Ok(Self::from(text)) }
    }
}

impl Value for ListenAddress {
    const PLACEHOLDER: &'static str = "ADDRESS";

    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("names no file after `unix:`".to_owned()),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                "is no address; write 127.0.0.1:7400, [::1]:7400 (a number, not a name) or unix:PATH"
                    .to_owned()
            }),
        }
    }
}

/// An address that may be left out; left out it is empty.
impl Value for Option<ListenAddress> {
    const PLACEHOLDER: &'static str = ListenAddress::PLACEHOLDER;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { ListenAddress::parse(text).map(Some) }
    }
}

/// A cluster that may be left out; left out it is empty.
impl Value for Option<ClusterUrl> {
    const PLACEHOLDER: &'static str = "URL";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(None)
        } else {
            text.parse().map(Some).map_err(|error: ClusterUrlError| error.to_string())
        }
    }
}

/// A user's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub String);

/// A name that may be left out; left out it is empty.
impl Value for Option<Name> {
    const PLACEHOLDER: &'static str = "NAME";

    fn parse(text: &str) -> Result<Self, String> {
        Ok((!text.is_empty()).then(|| Name(text.to_owned())))
    }
}

impl Value for ReplicasMissing {
    const PLACEHOLDER: &'static str = "WHAT";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "answer" => Ok(Self::Answer),
            _ => Err("is neither refuse nor answer".to_owned()),
        }
    }
}

impl Value for Duration {
    const PLACEHOLDER: &'static str = "DURATION";

    fn parse(text: &str) -> Result<Self, String> {
        let duration = humantime::parse_duration(text).map_err(|_| {
            "is no duration; write a number with its unit, such as 7d, 20s or 250ms".to_owned()
        })?;
        if duration.subsec_nanos() % 1_000_000 != 0 {
            return Err("is finer than a millisecond".to_owned());
        }
        Ok(duration)
    }
}

/// The longest first, as `B` ends all of them.
const SIZE_UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Value for Bytes {
    const PLACEHOLDER: &'static str = "SIZE";

    fn parse(text: &str) -> Result<Self, String> {
        let unit = SIZE_UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (number, bytes) = unit.unwrap_or((text, 1));
        let number: usize = whole(number.trim_end())
            .ok_or("is no size; write 16MiB, 64KiB or a whole number of bytes".to_owned())?;
        number.checked_mul(bytes).map(|count| Self { count }).ok_or_else(|| "is too large".to_owned())
    }
}

impl Value for usize {
    const PLACEHOLDER: &'static str = "COUNT";

    fn parse(text: &str) -> Result<Self, String> {
        whole(text).ok_or_else(|| "is no whole number".to_owned())
    }
}

/// Digits only: `usize::from_str` would take a sign too.
fn whole(text: &str) -> Option<usize> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl Value for u32 {
    const PLACEHOLDER: &'static str = "COUNT";

    fn parse(text: &str) -> Result<Self, String> {
        whole(text).and_then(|number| number.try_into().ok()).ok_or_else(|| "is no whole number".to_owned())
    }
}

impl Value for bool {
    const PLACEHOLDER: &'static str = "true|false";
    const FORM: Form = Form::Switch;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| NO_SWITCH.to_owned())
    }
}

/// What is wrong with a switch, whatever layer it stands in.
pub(super) const NO_SWITCH: &str = "is neither true nor false";

/// A file that may be left out; left out it is empty.
impl Value for Option<PathBuf> {
    const PLACEHOLDER: &'static str = "FILE";

    fn parse(text: &str) -> Result<Self, String> {
        Ok((!text.is_empty()).then(|| text.into()))
    }
}

impl Value for Visibility {
    const PLACEHOLDER: &'static str = "sender|audience";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "sender" => Ok(Self::Sender),
            "audience" => Ok(Self::Audience),
            _ => Err("is neither sender nor audience".to_owned()),
        }
    }
}

/// Origins of pages, each as browsers send it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origins(pub Vec<String>);

impl Value for Origins {
    const PLACEHOLDER: &'static str = "ORIGIN";
    const FORM: Form = Form::List;

    fn parse(text: &str) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        origins.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

/// What a browser sends in `Origin`: scheme, host and, if it is not the scheme's own, port; nothing behind them.
fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or_default();
    let is_origin = !host.is_empty()
        && host.bytes().all(|byte| {
            byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"/?#@*\"\\".contains(&byte)
        });
    if is_origin {
        return Ok(text.to_owned());
    }
    Err(format!(
        "has {text:?}, which is no origin; write https://chat.example or http://localhost:3000, in lower case, \
                 with nothing behind the host and its port"
    ))
}

impl Value for LogFilter {
    const PLACEHOLDER: &'static str = "FILTER";

    fn parse(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

impl Value for LogFormat {
    const PLACEHOLDER: &'static str = "auto|text|json";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("is none of auto, text and json".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_units_or_bytes() {
        let count = |text| Bytes::parse(text).map(|bytes| bytes.count).ok();
        assert_eq!(count("16MiB"), Some(16 * 1024 * 1024));
        assert_eq!(count("64 KiB"), Some(65_536));
        assert_eq!(count("1GiB"), Some(1 << 30));
        assert_eq!(count("512B"), Some(512));
        assert_eq!(count("512"), Some(512));
        for bad in ["", "KiB", "16MB", "16M", "-1", "+1", "1.5MiB", "0x10", "99999999999999999999", "1 2"] {
            assert_eq!(count(bad), None, "{bad:?}");
        }
        assert_eq!(Bytes::parse("18446744073709551615GiB"), Err("is too large".to_owned()));
    }

    #[test]
    fn durations_need_a_unit_and_are_whole_milliseconds() {
        assert_eq!(Duration::parse("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(Duration::parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(Duration::parse("1m 30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "7", "7 parsecs", "-1s", "1us", "1ms 1ns"] {
            assert!(Duration::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_are_numbers_or_socket_files() {
        let tcp = |text: &str| ListenAddress::Tcp(text.parse().unwrap());
        assert_eq!(ListenAddress::parse("127.0.0.1:0"), Ok(tcp("127.0.0.1:0")));
        assert_eq!(ListenAddress::parse("unix:/run/x.sock"), Ok(ListenAddress::Unix("/run/x.sock".into())));
        for bad in ["", "7400", ":7400", "localhost:7400", "127.0.0.1", "127.0.0.1:70000", "unix:"] {
            assert!(ListenAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(tcp("[::1]:7400").to_string(), "http://[::1]:7400");
        assert_eq!(ListenAddress::Unix("/run/x.sock".into()).to_string(), "unix:/run/x.sock");
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let origins = |text| Origins::parse(text).map(|Origins(origins)| origins);
        assert_eq!(origins(""), Ok(vec![]));
        assert_eq!(
            origins("https://chat.example, http://localhost:3000,"),
            Ok(vec!["https://chat.example".to_owned(), "http://localhost:3000".to_owned()])
        );
        for bad in [
            "*",
            "null",
            "chat.example",
            "https://",
            "https://chat.example/",
            "https://Chat.example",
            "https://*.example",
        ] {
            assert!(origins(bad).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn only_loopback_and_socket_files_are_local() {
        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:x"] {
            assert!(ListenAddress::parse(local).unwrap().is_local(), "{local}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!ListenAddress::parse(open).unwrap().is_local(), "{open}");
        }
    }
}
