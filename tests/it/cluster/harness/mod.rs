//! A real Valkey Cluster of six nodes: three primaries with a replica each, formed, hurt, mended and torn down.
//!
//! `node` is one of them, `view` what they say of each other, `slots` moves slots between them, `spaces` puts each in a
//! network namespace of its own; `keeper` sees to it that nothing is left behind, and `resp` asks.

mod keeper;
mod node;
mod resp;
mod slots;
mod spaces;
mod view;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

use self::{
    keeper::Keeper,
    node::Place,
    spaces::Spaces,
    view::{SLOTS, Seen, seen},
};
pub(crate) use self::{node::Node, spaces::Cut, view::slot_of};
use crate::harness::wait_for;

const PRIMARIES: usize = 3;
const NODES: usize = 2 * PRIMARIES;

/// Below where the system takes the ports of outgoing connections from: a node that is started again finds its own free.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// Clusters that are to be hurt run one at a time: what they do is a matter of seconds, and two starve each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Six nodes. Killed when dropped, with all they wrote.
#[derive(Debug)]
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    spaces: Option<Spaces>,
    _directory: Keeper,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Cluster {
    /// One for this test alone, on loopback.
    pub(crate) fn start() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Self::form(loopback(), None, Some(turn))
    }

    /// One that tests share, none of which hurts it.
    pub(crate) fn shared() -> Self {
        Self::form(loopback(), None, None)
    }

    /// One for this test alone, each node in a network namespace of its own; none, which is said, where this process may not
    /// make those.
    pub(crate) fn apart() -> Option<Self> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let spaces = Spaces::new(NODES)?;
        Some(Self::form(spaces.places(), Some(spaces), Some(turn)))
    }

    fn form(places: Vec<Place>, spaces: Option<Spaces>, turn: Option<MutexGuard<'static, ()>>) -> Self {
        let directory = TempDir::with_prefix("seenby-cluster-").unwrap().keep();
        // A node that ends meanwhile may write once more.
        let line = format!("while [ -e '{0}' ]; do rm -rf '{0}'; done", directory.display());
        let keeper = Keeper::new(&line);
        let start = |(at, place)| Node::start(place, directory.join(format!("{at}")));
        let nodes = places.into_iter().enumerate().map(start).collect();
        let cluster = Self { nodes, spaces, _directory: keeper, _turn: turn };
        cluster.meet();
        cluster
    }

    /// Makes one cluster of nodes that do not know each other.
    fn meet(&self) {
        let each = SLOTS.div_ceil(3);
        for (at, node) in self.nodes.iter().enumerate() {
            node.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
            if let (true, Ok(number)) = (at < PRIMARIES, u16::try_from(at)) {
                let (from, to) = (number * each, ((number + 1) * each).min(SLOTS) - 1);
                node.tell(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]);
            }
            let Place { ip, port, bus_port, .. } = &node.place;
            let (ip, port, bus_port) = (ip.to_string(), port.to_string(), bus_port.to_string());
            self.nodes[0].tell(&["CLUSTER", "MEET", &ip, &port, &bus_port]);
        }
        let all_know_all = || self.nodes.iter().all(|node| self.seen_by(node).len() == NODES);
        wait_for("all nodes to know each other", || all_know_all().then_some(()));
        for (primary, replica) in self.nodes.iter().zip(&self.nodes[PRIMARIES..]) {
            let id = primary.tell(&["CLUSTER", "MYID"]).concat();
            replica.tell(&["CLUSTER", "REPLICATE", &id]);
        }
        self.settle();
        let all_can = || self.nodes.iter().all(Node::can_start_again);
        wait_for("all nodes to note the same", || all_can().then_some(()));
    }

    /// `valkey://…/PREFIX`: three of the nodes, of which one is enough to find the others.
    pub(crate) fn url(&self, prefix: &str) -> String {
        let nodes: Vec<_> = self.nodes.iter().step_by(2).map(|node| node.address().to_string()).collect();
        format!("valkey://{}/{prefix}", nodes.join(","))
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// The nodes that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, at: usize) {
        self.nodes[at].kill();
    }

    /// SIGKILL for all of them.
    pub(crate) fn kill_all(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
    }

    /// SIGSTOP.
    pub(crate) fn freeze(&mut self, at: usize) {
        self.nodes[at].freeze(true);
    }

    /// Starts all nodes that are dead on what they had, thaws those that are frozen, and waits until all is as it should be.
    pub(crate) fn mend(&mut self) {
        for node in &mut self.nodes {
            if node.is_dead() {
                node.start_again();
            } else if !node.is_running() {
                node.freeze(false);
            }
        }
        self.settle();
    }

    /// Waits until most nodes hold one for dead, and another has its slots, if it had any.
    pub(crate) fn wait_until_missed(&self, at: usize) {
        let is_missed = |view: &BTreeMap<usize, Seen>| {
            view.get(&at)
                .is_none_or(|seen| seen.is_failing && (seen.slots.is_empty() || seen.follows.is_some()))
        };
        wait_for("the node to be missed", || {
            let views = self.running().map(|node| self.seen_by(node));
            (views.filter(is_missed).count() * 2 > NODES).then_some(())
        });
    }

    /// Waits until every slot is covered in the eyes of all nodes, and each primary's replica has what it has.
    pub(crate) fn settle(&self) {
        wait_for("the cluster to be whole", || self.is_whole().then_some(()));
    }

    fn is_whole(&self) -> bool {
        let views: Vec<_> = self.running().map(|node| self.seen_by(node)).collect();
        let owner = |view: &BTreeMap<usize, Seen>, slot| {
            view.iter().find(|(_, seen)| seen.has(slot)).map(|(at, _)| *at)
        };
        let agree = |slot| {
            let first = owner(&views[0], slot);
            first.is_some() && views.iter().all(|view| owner(view, slot) == first)
        };
        let sound = |view: &BTreeMap<usize, Seen>| {
            view.len() == NODES
                && view.values().all(|seen| !seen.is_failing)
                && view.values().filter(|seen| seen.follows.is_some()).count() == PRIMARIES
        };
        // Nodes have their slots in long runs: some tell for all, and the rest is in the state.
        let state = |node: &Node| {
            let info = node.ask(&["CLUSTER", "INFO"]).unwrap_or_default().concat();
            info.contains("cluster_state:ok") && info.contains(&format!("cluster_slots_assigned:{SLOTS}"))
        };
        let replica = |node: &Node| match node.info("replication", "role").as_deref() {
            Some("master") => {
                node.info("replication", "slave0").is_some_and(|line| line.contains("state=online"))
            }
            Some(_) => node.info("replication", "master_link_status").as_deref() == Some("up"),
            None => false,
        };
        views.iter().all(sound)
            && (0..SLOTS).step_by(97).all(agree)
            && self.running().all(|node| state(node) && replica(node))
    }

    /// How a node sees the cluster, by the nodes' numbers; nothing if it does not answer.
    fn seen_by(&self, node: &Node) -> BTreeMap<usize, Seen> {
        let text = node.ask(&["CLUSTER", "NODES"]).unwrap_or_default().concat();
        let number = |address: &str| self.nodes.iter().position(|node| node.address().to_string() == address);
        seen(&text).into_iter().filter_map(|(address, seen)| Some((number(&address)?, seen))).collect()
    }

    /// The number of the node that has the conversation, in the eyes of most.
    pub(crate) fn primary_of(&self, conversation: &str) -> usize {
        let slot = slot_of(conversation);
        wait_for("a primary that most agree on", || {
            let owners: Vec<_> = self
                .running()
                .filter_map(|node| Some(*self.seen_by(node).iter().find(|(_, seen)| seen.has(slot))?.0))
                .collect();
            let named = |at: &usize| owners.iter().filter(|owner| *owner == at).count();
            owners.iter().copied().find(|at| named(at) * 2 > NODES)
        })
    }

    /// The number of a replica of a primary.
    pub(crate) fn replica_of(&self, primary: usize) -> usize {
        let view = self.seen_by(&self.nodes[primary]);
        let id = &view[&primary].id;
        *view.iter().find(|(_, seen)| seen.follows.as_ref() == Some(id)).expect("it has one").0
    }

    /// Some conversations whose slots a primary has: of many names those with the lowest slots.
    pub(crate) fn conversations_of(&self, primary: usize, count: usize) -> Vec<String> {
        const NAMES: usize = 2_000;
        let view = self.seen_by(&self.nodes[primary]);
        let names = (0..NAMES).map(|number| format!("c{number}"));
        let mut names: Vec<_> = names.filter(|name| view[&primary].has(slot_of(name))).collect();
        names.sort_by_key(|name| slot_of(name));
        names.truncate(count);
        names
    }

    /// The numbers of the nodes that have slots.
    pub(crate) fn primaries(&self) -> Vec<usize> {
        let node = self.running().next().expect("some node runs");
        self.seen_by(node).iter().filter(|(_, seen)| !seen.slots.is_empty()).map(|(at, _)| *at).collect()
    }
}

fn loopback() -> Vec<Place> {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // Held until all are found, so that none is found twice.
    let mut listeners = Vec::new();
    while listeners.len() < 2 * NODES {
        listeners.extend(TcpListener::bind((ip, fastrand::u16(PORTS))));
    }
    let ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    ports.chunks(2).map(|pair| Place { ip, port: pair[0], bus_port: pair[1], space: None }).collect()
}
