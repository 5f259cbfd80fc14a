//! The engine on a real Valkey Cluster: hurt in every way that a cluster is, while marks flow.
//!
//! `harness` makes the cluster, `load` writes to it and keeps the answers, `verdict` holds what is there against them; `scene` is
//! all of that at once. `shared` is a cluster that nobody hurts.

pub(crate) mod harness;
mod load;
mod scene;
pub(crate) mod shared;
mod verdict;
mod with_tools;

use self::harness::Cluster;
pub(crate) use self::shared::fresh_store;
use crate::harness::Running;

/// A server on the cluster, with more arguments.
fn serve(cluster: &Cluster, args: &[&str]) -> Running {
    Running::start(&[&["--store", &cluster.url("sb"), "--log", "off"], args].concat())
}
