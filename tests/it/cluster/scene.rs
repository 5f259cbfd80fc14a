//! Two servers on one cluster and marks through both, of which some go to the primary that is to be hurt.

use std::time::{Duration, Instant};

use super::{
    harness::Cluster,
    load::Load,
    serve,
    verdict::{Verdict, judge},
};
use crate::{
    harness::Running,
    process::{client, connection},
};

/// Conversations on each primary.
const EACH: usize = 3;

/// A replica must have each write.
pub(super) const ONE: [&str; 2] = ["--min-replicas", "1"];

pub(super) struct Scene {
    what: String,
    /// Whether marks are refused while too few replicas have them.
    needs_replicas: bool,
    pub(super) cluster: Cluster,
    pub(super) servers: [Running; 2],
    /// The number of the primary that is to be hurt.
    pub(super) primary: usize,
    /// Its conversations come first.
    pub(super) conversations: Vec<String>,
    load: Load,
}

impl Scene {
    /// Servers with more arguments, and writers.
    pub(super) async fn begin(what: &str, cluster: Cluster, args: &[&str]) -> Self {
        let servers = [serve(&cluster, args), serve(&cluster, args)];
        let primaries = cluster.primaries();
        let conversations: Vec<_> =
            primaries.iter().flat_map(|at| cluster.conversations_of(*at, EACH)).collect();
        let load = Load::begin(&[&servers[0], &servers[1]], &conversations).await;
        let what = format!(
            "{what}, {}",
            if args.is_empty() { "no replica asked for".to_owned() } else { args.join(" ") }
        );
        let needs_replicas = args == ONE;
        Self { what, needs_replicas, cluster, servers, primary: primaries[0], conversations, load }
    }

    /// Waits until some more marks were answered in the conversations that are not hurt.
    pub(super) async fn flows_elsewhere(&self) {
        self.load.flow_in(|at| at >= EACH).await;
    }

    /// The same, in all of them; says how long that took.
    pub(super) async fn flows(&self, since: &str) {
        let took = self.load.flows().await;
        println!("{}: marks flow everywhere {:.1} s after {since}", self.what, took.as_secs_f64());
    }

    /// Waits until most of the cluster holds the node for dead, and whatever it had is had by another.
    pub(super) fn missed(&self, node: usize) {
        let began = Instant::now();
        self.cluster.wait_until_missed(node);
        println!("{}: the others miss the node after {:.1} s", self.what, began.elapsed().as_secs_f64());
    }

    /// Waits until a few more marks were answered.
    pub(super) async fn ticks(&self) {
        self.load.ticks().await;
    }

    /// Waits until marks were refused, if they are for want of a replica.
    pub(super) async fn refuses(&self) {
        if self.needs_replicas {
            self.load.refuses().await;
        }
    }

    /// Marks go on for so long.
    pub(super) async fn goes_on_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// A metric of all servers together.
    pub(super) async fn metric(&self, name: &str) -> u64 {
        let mut sum = 0;
        for server in &self.servers {
            sum += crate::process::metric(&mut connection(server).await, name).await;
        }
        sum
    }

    /// Ends the writers, and holds what is there against what they were answered.
    pub(super) async fn end(self) -> Verdict {
        let verdict = judge(&client(&self.servers[0]), &self.load.end().await).await;
        println!("{}: {verdict}", self.what);
        verdict
    }
}
