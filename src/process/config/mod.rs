//! The configuration: one table of settings, from which come flags, variables, file keys, help and the example.
//!
//! To add a setting is to add an entry to the table below, and to use the field it makes. A value is looked for
//! on the command line, then in the environment, then in the file, then in the table; [`Chosen`] keeps where it
//! was found. Nothing here opens, listens or logs.

mod effective;
mod example;
mod layers;
mod setting;
mod value;

use std::{ffi::OsString, path::PathBuf, time::Duration};

pub use example::example;
pub use layers::Flags;
pub use setting::{Chosen, ConfigError, Form, Origin, Setting};
pub use value::{Bytes, ListenAddress, Name, Origins};

use super::telemetry::{LogFilter, LogFormat};
use crate::{
    domain::{Pace, Retention, Stretch, Visibility},
    receipts::{ClusterUrl, ReplicasMissing},
};
use layers::{Layers, bad_value, find};
use value::Value;

macro_rules! limits {
    () => {
        None
    };
    ($least:literal $most:literal) => {
        Some(($least, $most))
    };
}

macro_rules! settings {
    ($($group:literal { $(
        $(#[doc = $doc:literal])+
        $name:ident: $kind:ty = $default:literal $(, $least:literal to $most:literal)?;
    )+ })+) => {
        /// Every setting, in the order of help and example.
        pub const SETTINGS: &[Setting] = &[$($(Setting {
            name: stringify!($name),
            group: $group,
            explanation: concat!($($doc),+).trim_ascii(),
            default: $default,
            limits: limits!($($least $most)?),
            placeholder: <$kind as Value>::PLACEHOLDER,
            form: <$kind as Value>::FORM,
        },)+)+];

        /// What a server is started with: every setting, read and within its limits.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($($(#[doc = $doc])+ pub $name: $kind,)+)+
            chosen: Vec<Chosen>,
        }

        impl Config {
            fn read(layers: Layers) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($($name: layers.read(stringify!($name))?,)+)+
                    chosen: layers.into_chosen(),
                })
            }
        }
    };
}

settings! {
    "Where" {
        /// The directory that holds all the server keeps; made if it is not there. One server at a time.
        data: PathBuf = "./seenby-data";
        /// Where to listen: an address (port 0 takes a free one) or unix:PATH for a socket file, which only the
        /// same user may connect to. A listener inherited from systemd comes before this. Without access control
        /// only loopback addresses and socket files are taken.
        listen: ListenAddress = "127.0.0.1:7400";
        /// Where else to listen, as `listen` is written, for /metrics, /healthz and /readyz alone, which anybody who can connect
        /// there may have. Over 32 connections at once; more of them wait, and each is closed after 4 seconds. On `listen`,
        /// /metrics needs an API key where there are keys.
        metrics_listen: Option<ListenAddress> = "";
    }
    "Cluster" {
        /// A Valkey Cluster that holds it in place of `data`, for any number of servers at once:
        /// valkey://HOST:PORT,HOST:PORT/PREFIX, with some of its nodes and what the names of all keys begin with (sb).
        store: Option<ClusterUrl> = "";
        /// Whom to be to the cluster's nodes; left out, their default user.
        store_user: Option<Name> = "";
        /// A file with that user's password.
        store_password: Option<PathBuf> = "";
        /// How many replicas must have a write before it is answered.
        min_replicas: u32 = "0", "0" to "5";
        /// What becomes of a write that fewer have in time: refuse (503 `store-failed`; it may be there all the same), or answer
        /// as if they had it and count it.
        min_replicas_missing: ReplicasMissing = "refuse";
        /// How long a call to the cluster may take, with all that is tried again.
        store_timeout: Duration = "5s", "100ms" to "1m";
    }
    "Access" {
        /// A file of API keys, a line `name sha256-of-the-key` each, which `seenby keys new` makes. Read again at SIGHUP.
        api_keys: Option<PathBuf> = "";
        /// A file of keys for user tokens: a JWKS of `oct` keys (HS256, 32 bytes or more) and `OKP` keys (Ed25519). Read
        /// again at SIGHUP.
        token_keys: Option<PathBuf> = "";
        /// Which messages' receipts a user may see: those of messages that the user sent, or also was sent (audience).
        visibility: Visibility = "sender";
        /// An origin whose pages may call from a browser; several by giving it again, or with commas between them.
        cors_origin: Origins = "";
        /// The longest user token.
        token_bytes_max: Bytes = "4KiB", "256B" to "64KiB";
        /// How far the times of a token may be off.
        token_leeway: Duration = "30s", "0s" to "60s";
        /// How far ahead the end of a token may be.
        token_ttl_max: Duration = "365d", "1m" to "3650d";
        /// Whether there is a page at /demo, which shows in a browser what the server does. It acts for everybody, so it
        /// does not go with keys.
        demo: bool = "false";
    }
    "Receipts" {
        /// How long the receipts of a message live that says nothing of it itself.
        retention: Duration = "7d", "1ms" to "365d";
        /// How often clients are told to pull.
        poll_every: Duration = "2s", "10ms" to "1h";
        /// For how long clients are told to pull, from when the messages came on screen.
        poll_for: Duration = "20s", "10ms" to "1d";
        /// Up to what `poll_every` is stretched under load, in whole seconds; with the value of `poll_every` it never is. From
        /// there on clients wait longer for their answers.
        poll_every_max: Duration = "10s", "10ms" to "1h";
    }
    "Streams" {
        /// How long after an event a stream has its next one at the earliest; 0 for an event for each mark.
        stream_every: Duration = "1s", "0s" to "1h";
        /// How long a stream may last.
        stream_for: Duration = "20s", "10ms" to "365d";
        /// After how long without an event a stream says that it is alive. So often at the most it is looked at whether the
        /// caller's key or token is still good.
        stream_keep_alive: Duration = "15s", "10ms" to "30s";
        /// How many streams may be open at once. Over HTTP/1.1 each takes a connection, and a tenth of `connections_max` is
        /// not for streams.
        streams_max: usize = "10000", "0" to "1000000";
        /// How many streams one user may have open; 0 for as many as there may be in all.
        user_streams_max: usize = "16", "0" to "1000000";
    }
    "Limits" {
        /// The longest body of a request.
        body_bytes_max: Bytes = "16MiB", "1KiB" to "1GiB";
        /// How long the body of a user's request may be; `body_bytes_max` where that is less.
        user_body_bytes_max: Bytes = "1MiB", "1KiB" to "1GiB";
        // 8 KiB is the least that hyper takes as a buffer.
        /// The longest head of a request.
        head_bytes_max: Bytes = "64KiB", "8KiB" to "1MiB";
        /// How many bytes the bodies of all requests and answers under way may have together. The first 64 KiB of
        /// each do not count. Lists of tiny items take up to 25 times as much memory while they are read.
        bodies_bytes_max: Bytes = "128MiB", "1KiB" to "64GiB";
        /// How many connections may be open at once. Each is an open file to the system: the process needs 124
        /// more than this of them (`ulimit -n`).
        connections_max: usize = "900", "1" to "1000000";
        /// How many connections one address may have open (of IPv6 each network of 64 bits); 0 for as many as there may be
        /// in all. Behind a proxy all have the proxy's address.
        connections_per_address_max: usize = "0", "0" to "1000000";
        /// How many connections are accepted a second; 0 for no limit. More wait until the system turns them away: a flood
        /// of newcomers must not slow down those who are in.
        connections_per_s_max: u32 = "2000", "0" to "1000000";
        /// How many requests may be under way at once on one connection of HTTP/2.
        http2_streams_max: u32 = "100", "1" to "10000";
        /// How many requests a user may send a second; 0 for no limit.
        user_requests_per_s: u32 = "50", "0" to "1000000";
        /// How many requests an app may send a second, for each API key; 0 for no limit.
        app_requests_per_s: u32 = "0", "0" to "1000000";
        /// How long the head of a request may take to arrive.
        head_timeout: Duration = "10s", "100ms" to "1h";
        /// How long the body of a request may take to arrive.
        body_timeout: Duration = "30s", "100ms" to "1h";
        /// How long a client may take nothing of an answer that waits for it.
        answer_timeout: Duration = "30s", "100ms" to "1h";
        /// How long a connection may stand open without a request.
        idle_timeout: Duration = "75s", "100ms" to "1d";
        /// How long a shutdown waits for the requests under way.
        drain_timeout: Duration = "10s", "0s" to "1h";
    }
    "Upkeep" {
        /// How often the storage of expired messages is given up.
        sweep_every: Duration = "10s", "100ms" to "1h";
        /// How large the journal grows before a checkpoint is made.
        journal_bytes_max: Bytes = "64MiB", "1MiB" to "64GiB";
        /// How often a checkpoint is made at the latest. The name of a deleted user leaves the disk with one.
        checkpoint_every: Duration = "60s", "100ms" to "12h";
        /// How much memory may hold conversations. Messages that nobody looks at make way and are read back when somebody
        /// does; names and the index stay, some 50 bytes a member and a message. When half of it has changed and is not
        /// yet in a checkpoint, writes are refused until it is (503 `overloaded`).
        hot_bytes_max: Bytes = "256MiB", "16MiB" to "1024GiB";
        /// How long a disk may hang in a commit before the process ends itself (by SIGABRT), to be started anew.
        commit_timeout: Duration = "10s", "100ms" to "1h";
    }
    "Logs" {
        /// What is logged, on standard error: off, error, warn, info, debug or trace, or such as
        /// `warn,seenby::store=debug` for each part of the program.
        log: LogFilter = "info";
        /// How it is written; auto is text on a terminal and JSON elsewhere.
        log_format: LogFormat = "auto";
    }
}

impl Config {
    /// Reads the configuration from all layers. `variables` are those of the environment.
    pub fn load(
        flags: Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let config = Self::read(Layers::gather(flags, variables)?)?;
        config.check()?;
        Ok(config)
    }

    /// What does not show in one value alone.
    fn check(&self) -> Result<(), ConfigError> {
        if self.poll_every_max < self.poll_every {
            return Err(self.less_than("poll_every_max", "poll_every"));
        }
        if self.bodies_bytes_max < self.body_bytes_max {
            return Err(self.less_than("bodies_bytes_max", "body_bytes_max"));
        }
        for name in ["api_keys", "token_keys", "store", "store_password"] {
            let chosen = find(&self.chosen, name);
            // A variable that was to name a file and came out empty must not open the server to everybody.
            if chosen.text.is_empty() && matches!(chosen.origin, Origin::Flag | Origin::Variable) {
                return Err(bad_value(chosen, "names nothing; leave it out for none"));
            }
        }
        self.check_store()?;
        if self.demo {
            self.check_demo()?;
        }
        if !self.listen.is_local() && !self.has_access_control() {
            return Err(bad_value(find(&self.chosen, "listen"), OPEN_WITHOUT_KEYS));
        }
        if self.metrics_listen.as_ref().is_some_and(|address| !address.is_local())
            && !self.has_access_control()
        {
            return Err(bad_value(find(&self.chosen, "metrics_listen"), FIGURES_WITHOUT_KEYS));
        }
        let is_taken = self.metrics_listen.as_ref() == Some(&self.listen) && !self.listen.is_free();
        if is_taken {
            let problem = format!("is the same as {}", find(&self.chosen, "listen"));
            return Err(bad_value(find(&self.chosen, "metrics_listen"), problem));
        }
        Ok(())
    }

    /// One store, and nobody to be to nodes that there are none of. A service's own `data` may stand in a lower layer.
    fn check_store(&self) -> Result<(), ConfigError> {
        let (data, store) = (find(&self.chosen, "data"), find(&self.chosen, "store"));
        if self.store.is_some() && data.origin == Origin::Flag {
            let problem = format!("does not go with {data}: all is kept in one place or in the other");
            return Err(bad_value(store, problem));
        }
        let of_a_cluster =
            [("store_user", self.store_user.is_some()), ("store_password", self.store_password.is_some())];
        match of_a_cluster.iter().find(|(_, is_given)| *is_given && self.store.is_none()) {
            Some((name, _)) => Err(bad_value(
                find(&self.chosen, name),
                "is of a cluster, and there is none; give it with --store",
            )),
            None => Ok(()),
        }
    }

    /// Without keys the server listens on this machine alone, which is as far as the page may be seen.
    fn check_demo(&self) -> Result<(), ConfigError> {
        for (name, file) in [("api_keys", &self.api_keys), ("token_keys", &self.token_keys)] {
            if file.is_some() {
                let keys = find(&self.chosen, name);
                let problem =
                    format!("does not go with {keys}: the demo's page acts for everybody, without a key");
                return Err(bad_value(find(&self.chosen, "demo"), problem));
            }
        }
        Ok(())
    }

    fn less_than(&self, less: &str, more: &str) -> ConfigError {
        bad_value(find(&self.chosen, less), format!("is less than {}", find(&self.chosen, more)))
    }

    /// The settings that are not at their defaults, with where they came from.
    pub fn set(&self) -> impl Iterator<Item = &Chosen> {
        self.chosen.iter().filter(|chosen| chosen.origin != Origin::Default)
    }

    /// Whether callers must show who they are.
    #[must_use]
    pub fn has_access_control(&self) -> bool {
        self.api_keys.is_some() || self.token_keys.is_some()
    }

    /// How long receipts live.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention { life: self.retention }
    }

    /// How clients are told to pull.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { every_ms: whole_ms(self.poll_every), for_ms: whole_ms(self.poll_for) }
    }

    /// What makes that pace follow the load.
    #[must_use]
    pub fn stretch(&self) -> Stretch {
        Stretch::new(whole_ms(self.poll_every), whole_ms(self.poll_every_max))
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("invariant: the limits are far below 500 million years")
}

/// Why a listener that other machines can reach is refused; continues a sentence that names it.
pub const OPEN_WITHOUT_KEYS: &str = "can be reached from other machines, and there is no access control: anybody \
    could read and change everything. Give it --api-keys or --token-keys, or listen on loopback or on unix:PATH";

/// The same of a listener for figures.
const FIGURES_WITHOUT_KEYS: &str = "can be reached from other machines, and there is no access control: a server that is \
    open to this machine alone shows nothing to others. Give it --api-keys or --token-keys, or listen on loopback or on \
    unix:PATH";

#[cfg(test)]
mod tests;
