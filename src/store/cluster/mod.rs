//! The cluster engine: conversations in a Valkey Cluster that somebody else runs, for any number of processes at once.
//!
//! ```text
//!   calls ─► link ─► topology   which node has the conversation
//!              │
//!              ├─► node ─► lane     writes: what has gathered goes as one pipeline, with one WAIT behind it
//!              └─► node             reads: a connection that many share, so that no read waits for a WAIT
//!                    │
//!                    ▼
//!                 scripts           what happens to one conversation happens in the node, at once
//! ```
//!
//! What must hold:
//!
//! - All keys of a conversation share one hash tag, so that a script sees all of it. What is kept where stands in
//!   `scripts/prelude.lua`.
//! - A script looks at every key that it will write before it writes the first, and every write may be sent again: a call
//!   that was cut off anywhere is sent again as a whole.
//! - Nothing about a conversation is remembered here: two processes answer the same.
//! - What belongs to no conversation (the list of conversations, users whose receipts are off) is written in an order that
//!   a crash in between leaves harmless.
//! - Nothing waits for good, and no queue grows without end.
//!
//! A message lives in its node for as long as it is live by its own end, and [`GRACE`] longer, since clocks differ; the node
//! itself forgets it then.
//!
//! | module | what it is about |
//! |---|---|
//! | `url`, `keys` | what a cluster is called, and what its keys are called |
//! | `topology`, `node`, `lane`, `link` | where a hash slot is, connections, group commits, and trying again |
//! | `script`, `reply` | the scripts as calls, and what they answer |
//! | `state` | a message's header and bits, as they stand in a key |
//! | `deployment`, `index`, `users` | what belongs to no conversation |
//! | `rosters`, `messages`, `marks`, `pulls` | the calls of the contract |
//! | `engine` | the engine as a whole: opening, telling who watches, closing |
//! | `export`, `restore` | to a dump and back |

mod deployment;
mod engine;
mod export;
mod index;
mod keys;
mod lane;
mod link;
mod marks;
mod messages;
mod node;
mod pulls;
mod reply;
mod restore;
mod rosters;
mod script;
mod state;
mod topology;
mod url;
mod users;

use std::time::Duration;

pub use engine::{ClusterStore, probe};
pub use restore::{RestoreError, restore};
pub use url::{Url, UrlError};

/// How much longer a node keeps a message than it is live: the clocks of processes and nodes may differ by so much.
pub const GRACE: Duration = Duration::from_mins(1);

/// How the engine is run.
#[derive(Clone)]
pub struct Options {
    /// Where the cluster is, and how its keys begin.
    pub url: Url,
    /// Whom to be to the nodes; none for their default user.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<String>,
    /// How many replicas must have a write before it is answered.
    pub min_replicas: u32,
    /// What becomes of a write that they do not have in time.
    pub replicas_missing: ReplicasMissing,
    /// How long a call may take, with all that is tried again.
    pub timeout: Duration,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, user, min_replicas, replicas_missing, timeout, .. } = self;
        out.debug_struct("Options")
            .field("url", url)
            .field("user", user)
            .field("min_replicas", min_replicas)
            .field("replicas_missing", replicas_missing)
            .field("timeout", timeout)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// One user's cluster at `url`: no password, no replicas waited for, 5 seconds.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            user: None,
            password: None,
            min_replicas: 0,
            replicas_missing: ReplicasMissing::Refuse,
            timeout: Duration::from_secs(5),
        }
    }
}

/// What becomes of a write that fewer replicas than asked for have in time. Its node has it in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplicasMissing {
    /// It is answered with [`StoreError::TooFewReplicas`](super::StoreError::TooFewReplicas). It may be there all the same.
    #[default]
    Refuse,
    /// It is answered as if they had it, and counted.
    Answer,
}

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No node answers.
    #[error("no node of {url} answers: {what}; see that it runs and that --store names it")]
    Unreachable {
        /// The cluster.
        url: String,
        /// What the last one tried said.
        what: String,
    },
    /// The nodes do not take us.
    #[error("{url} refuses us: {what}; see --store-user and --store-password")]
    Refused {
        /// The cluster.
        url: String,
        /// What it said.
        what: String,
    },
    /// It is a server, and no cluster.
    #[error("{url} is no cluster: {what}; start its nodes with cluster-enabled yes, and form the cluster")]
    NotACluster {
        /// The cluster.
        url: String,
        /// What it said.
        what: String,
    },
    /// There is nothing of ours under its prefix.
    #[error("{url}: there is no data of seenby under this prefix")]
    Empty {
        /// The cluster.
        url: String,
    },
    /// A newer version keeps its data there.
    #[error(
        "{url}: written in format {format}, and this version knows formats up to {FORMAT}; use the newer version"
    )]
    Newer {
        /// The cluster.
        url: String,
        /// Its format.
        format: u32,
    },
    /// A restore to it did not come to its end.
    #[error("{url}: a restore to it was cut off; restore to it again, or take another prefix")]
    HalfRestored {
        /// The cluster.
        url: String,
    },
    /// It stopped answering.
    #[error("{url}")]
    Store {
        /// The cluster.
        url: String,
        /// Why.
        source: super::StoreError,
    },
}

/// The version of what the keys hold.
const FORMAT: u32 = 1;
