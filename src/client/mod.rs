//! A typed client of the API: rosters, messages, marks, pulls, streams and lists, over HTTP/1.1.
//!
//! Knows HTTP and the shapes of [`crate::wire`], nothing of the server's inside. A [`Client`] makes each call
//! once; since every call of the API may be sent again, [`Retry`] wraps any of them:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use seenby::client::{Client, ClientError, Pulled, Retry};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:7400")?;
//! let retry = Retry::new(Duration::from_secs(30));
//! client.replace_roster("holidays", &["alice", "bob"]).await?;
//! let sent_by_alice = "alice".into();
//! retry.run(|| client.register("holidays", "m1", &sent_by_alice)).await?;
//! retry.run(|| client.mark_up_to("holidays", "bob", "m1")).await?;
//!
//! let first = client.pull("holidays", &["m1"]).await?;
//! assert_eq!(first.receipts[0].read, Some(1));
//! match client.pull_again("holidays", &["m1"], &first.etag).await? {
//!     Pulled::Unchanged { .. } => {}
//!     Pulled::Receipts(changed) => println!("{:?}", changed.receipts),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `connection` sends, over a `transport`; `rosters`, `messages`, `marks`, `receipts`, `stream` and `users` have the calls,
//! each under the name that the same call has on the other floors. `events` reads what a stream sends.

/// Everything on a list: asks for one part after the other, and gathers the field `items` of each. `$part` is the
/// call that asks, given the `next` of the part before.
macro_rules! walk {
    ($items:ident, |$after:ident| $part:expr) => {{
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let $after = next.as_deref();
            let mut part = $part.await?;
            all.append(&mut part.$items);
            next = part.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }};
}

mod connection;
mod error;
mod events;
mod marks;
mod messages;
mod receipts;
mod retry;
mod rosters;
mod stream;
mod target;
mod transport;
mod users;

pub use connection::Client;
pub use error::{BadServerUrl, ClientError};
pub use receipts::{Pulled, Receipts};
pub use retry::Retry;
pub use stream::{Stream, StreamEvent};
