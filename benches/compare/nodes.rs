//! A Valkey Cluster on this machine: three primaries with a replica each, as durable as the one server beside it.

use std::{
    error::Error,
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use redis::{Client, Connection, FromRedisValue};

use crate::server::{START_MAX, Server, free_port};

pub(crate) const PRIMARIES: usize = 3;
const NODES: usize = 2 * PRIMARIES;
/// Hash slots of a cluster, and of the first two primaries.
const SLOTS: usize = 16_384;
const SLOTS_EACH: usize = SLOTS.div_ceil(PRIMARIES);
/// Names in braces whose hash slots the first, the second and the third primary has.
pub(crate) const TAGS: [&str; PRIMARIES] = ["{bar}", "{c}", "{foo}"];

/// The nodes, primaries first. Killed when dropped.
pub(crate) struct Nodes(pub(crate) Vec<Arc<Server>>);

impl Nodes {
    pub(crate) fn start(programs: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let (mut nodes, mut bus_ports) = (Vec::new(), Vec::new());
        for at in 0..NODES {
            let (folder, bus_port) = (folder.join(format!("node{at}")), free_port()?.to_string());
            fs::create_dir(&folder)?;
            let flags = ["--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0", "--cluster-port"];
            nodes.push(Arc::new(Server::valkey(programs, &folder, &[&flags[..], &[&bus_port]].concat())?));
            bus_ports.push(bus_port);
        }
        let nodes = Self(nodes);
        nodes.meet(&bus_ports)?;
        Ok(nodes)
    }

    pub(crate) fn primaries(&self) -> &[Arc<Server>] {
        &self.0[..PRIMARIES]
    }

    pub(crate) fn replicas(&self) -> &[Arc<Server>] {
        &self.0[PRIMARIES..]
    }

    /// What `seenby serve --store` takes.
    pub(crate) fn url(&self) -> String {
        let addresses: Vec<_> = self.0.iter().map(|node| node.address.to_string()).collect();
        format!("valkey://{}", addresses.join(","))
    }

    /// Bytes that each primary uses for what is kept: without what it holds ready for its clients, replicas and log.
    pub(crate) fn kept(&self) -> Result<u64, Box<dyn Error>> {
        const NOT_KEPT: [&str; 4] =
            ["mem_total_replication_buffers", "mem_clients_normal", "mem_cluster_links", "mem_aof_buffer"];
        let mut kept = 0;
        for primary in self.primaries() {
            let info: String = ask(primary.address, &["INFO", "memory"])?;
            let of = |name| field(&info, name).and_then(|text| text.parse::<u64>().ok()).ok_or(name);
            kept += of("used_memory")?;
            for name in NOT_KEPT {
                kept = kept.saturating_sub(of(name)?);
            }
        }
        Ok(kept)
    }

    /// Makes one cluster of nodes that do not know each other.
    fn meet(&self, bus_ports: &[String]) -> Result<(), Box<dyn Error>> {
        for (at, (node, bus_port)) in self.0.iter().zip(bus_ports).enumerate() {
            let () = ask(node.address, &["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?;
            if at < PRIMARIES {
                let (first, end) = (at * SLOTS_EACH, ((at + 1) * SLOTS_EACH).min(SLOTS));
                let words = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()];
                let () = ask(node.address, &words)?;
            }
            let (ip, port) = (node.address.ip().to_string(), node.address.port().to_string());
            let () = ask(self.0[0].address, &["CLUSTER", "MEET", &ip, &port, bus_port])?;
        }
        self.wait_until(|node| {
            let text: String = ask(node, &["CLUSTER", "NODES"])?;
            Ok(text.lines().filter(|line| !line.contains("handshake")).count() == NODES)
        })?;
        for (primary, replica) in self.primaries().iter().zip(self.replicas()) {
            let id: String = ask(primary.address, &["CLUSTER", "MYID"])?;
            let () = ask(replica.address, &["CLUSTER", "REPLICATE", &id])?;
        }
        self.wait_until(|node| {
            let (cluster, text): (String, String) =
                (ask(node, &["CLUSTER", "INFO"])?, ask(node, &["INFO", "replication"])?);
            let of = |name| field(&text, name).unwrap_or_default();
            let is_replicated = of("slave0").contains("state=online") || of("master_link_status") == "up";
            Ok(is_replicated && field(&cluster, "cluster_state") == Some("ok"))
        })
    }

    /// Waits until that holds for every node.
    fn wait_until(
        &self,
        holds: impl Fn(SocketAddr) -> Result<bool, Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let began = Instant::now();
        for node in &self.0 {
            while !holds(node.address)? {
                if began.elapsed() > START_MAX {
                    return Err("the nodes do not become a cluster".into());
                }
                sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }
}

fn ask<T: FromRedisValue>(node: SocketAddr, words: &[&str]) -> Result<T, Box<dyn Error>> {
    let mut connection: Connection = Client::open(format!("redis://{node}"))?.get_connection()?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    Ok(command.query(&mut connection)?)
}

/// What stands behind `name:` in an answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}
