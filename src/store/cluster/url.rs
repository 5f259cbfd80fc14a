//! What a cluster is called: `valkey://host:port,host:port/prefix`.

use std::{fmt, str::FromStr};

/// Where a cluster is, and how its keys begin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Some of the nodes, each `host:port`: the others are asked for. At least one.
    pub nodes: Vec<Node>,
    /// What the names of all keys begin with: 1 to 32 letters, digits, `-` and `_`.
    pub prefix: String,
}

/// A node's address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// A name or an address, of IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is no cluster's name; continues a sentence that has the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Another scheme.
    #[error("does not begin with valkey://")]
    Scheme,
    /// A user or a password in it.
    #[error("has a user or a password in it; give them with --store-user and --store-password")]
    Secret,
    /// No nodes, or one that is none.
    #[error("needs nodes as host:port, with commas between them")]
    Nodes,
    /// A prefix that is none.
    #[error("has a prefix that is not 1 to {PREFIX_BYTES_MAX} letters, digits, - and _")]
    Prefix,
}

/// How keys begin that were given no prefix.
const PREFIX: &str = "sb";
const PREFIX_BYTES_MAX: usize = 32;
const SCHEME: &str = "valkey://";

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.strip_prefix(SCHEME).ok_or(UrlError::Scheme)?;
        if rest.contains('@') {
            return Err(UrlError::Secret);
        }
        let (nodes, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let nodes = nodes.split(',').map(Node::from_str).collect::<Result<_, _>>()?;
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(is_fine) {
            return Err(UrlError::Prefix);
        }
        Ok(Self { nodes, prefix: prefix.to_owned() })
    }
}

impl FromStr for Node {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (host, port) = text.rsplit_once(':').ok_or(UrlError::Nodes)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(UrlError::Nodes)?;
        let host = bare.unwrap_or(host);
        let is_bare_v6 = bare.is_none() && host.contains(':');
        if host.is_empty() || is_bare_v6 || host.contains(['/', '?', '#', ' ']) {
            return Err(UrlError::Nodes);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<_> = self.nodes.iter().map(ToString::to_string).collect();
        write!(out, "{SCHEME}{}/{}", nodes.join(","), self.prefix)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_by_some_nodes_and_a_prefix() {
        let shown = |text: &str| text.parse::<Url>().map(|url| url.to_string());
        assert_eq!(shown("valkey://a:1"), Ok("valkey://a:1/sb".to_owned()));
        assert_eq!(shown("valkey://a:1,[::1]:7002/"), Ok("valkey://a:1,[::1]:7002/sb".to_owned()));
        assert_eq!(shown("valkey://a:1/chat-2"), Ok("valkey://a:1/chat-2".to_owned()));
        let long = format!("valkey://a:1/{}", "x".repeat(PREFIX_BYTES_MAX));
        assert!(shown(&long).is_ok());
        assert_eq!(shown(&format!("{long}x")), Err(UrlError::Prefix));
        assert_eq!(shown("valkey://a:1/{b}"), Err(UrlError::Prefix));
        assert_eq!(shown("redis://a:1"), Err(UrlError::Scheme));
        assert_eq!(shown("valkey://me:secret@a:1"), Err(UrlError::Secret));
        for bad in
            ["valkey://", "valkey://a", "valkey://a:0", "valkey://a:1,", "valkey://::1:7", "valkey://a:65536"]
        {
            assert_eq!(shown(bad), Err(UrlError::Nodes), "{bad}");
        }
    }
}
