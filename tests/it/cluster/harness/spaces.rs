//! Each node in a network namespace of its own, all on one bridge, so that the network between them can be cut.
//!
//! A cut is silent, as a pulled cable is: packets vanish, and nobody is told.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
};

use super::{Cluster, keeper::Keeper, node::Place};

const PORT: u16 = 6_379;
const BUS_PORT: u16 = 16_379;

/// What a node is cut off from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// From all: nodes and clients.
    All,
    /// From the other nodes; clients reach it.
    Nodes,
}

/// The namespaces. Gone when dropped.
#[derive(Debug)]
pub(super) struct Spaces {
    /// Begins all names: network devices have names of at most 15 bytes.
    name: String,
    count: usize,
    _keeper: Keeper,
}

impl Spaces {
    /// None, which is said, where this process may not make them.
    pub(super) fn new(count: usize) -> Option<Self> {
        let name = format!("sb{:x}", std::process::id());
        // A namespace goes with its last socket, which may be a while; the cables are to go at once.
        let gone = |at| format!("ip link del {name}o{at}; ip netns del {name}n{at}; ");
        let gone = (0..count).map(gone).collect::<String>();
        let keeper = Keeper::new(&format!("{gone} ip link del {name}b"));
        let spaces = Self { name, count, _keeper: keeper };
        if spaces.make() {
            return Some(spaces);
        }
        let left_out = b"left out: cuts of the network, which need root and `ip netns`\n";
        // Straight to standard error: what a passing test prints is not shown.
        std::io::Write::write_all(&mut std::io::stderr(), left_out).unwrap();
        None
    }

    fn make(&self) -> bool {
        let bridge = format!("{}b", self.name);
        let own = format!("{}/24", address(254));
        let mut lines = vec![
            format!("link add {bridge} type bridge"),
            format!("addr add {own} dev {bridge}"),
            format!("link set {bridge} up"),
        ];
        for at in 0..self.count {
            let (space, outer, inner) = (self.space(at), self.outer(at), format!("{}i{at}", self.name));
            lines.extend([
                format!("netns add {space}"),
                format!("link add {outer} type veth peer name {inner}"),
                format!("link set {inner} netns {space}"),
                format!("link set {outer} master {bridge} up"),
                format!("-n {space} addr add {}/24 dev {inner}", ip_of(at)),
                format!("-n {space} link set {inner} up"),
                format!("-n {space} link set lo up"),
            ]);
        }
        lines.iter().all(|line| ip(line))
    }

    pub(super) fn places(&self) -> Vec<Place> {
        let place = |at| Place { ip: ip_of(at), port: PORT, bus_port: BUS_PORT, space: Some(self.space(at)) };
        (0..self.count).map(place).collect()
    }

    fn space(&self, at: usize) -> String {
        format!("{}n{at}", self.name)
    }

    /// The end of its cable that is in the bridge.
    fn outer(&self, at: usize) -> String {
        format!("{}o{at}", self.name)
    }

    fn set(&self, at: usize, cut: Cut, is_cut: bool) {
        match cut {
            Cut::All => {
                let state = if is_cut { "down" } else { "up" };
                assert!(ip(&format!("link set {} {state}", self.outer(at))));
            }
            Cut::Nodes => {
                for other in (0..self.count).filter(|other| *other != at) {
                    self.lose(at, other, is_cut);
                    self.lose(other, at, is_cut);
                }
            }
        }
    }

    /// Has packets from one node to another sent to where nobody is.
    fn lose(&self, from: usize, to: usize, is_lost: bool) {
        let (space, ip_to, device) = (self.space(from), ip_of(to), format!("{}i{from}", self.name));
        let line = if is_lost {
            format!("-n {space} neigh replace {ip_to} lladdr 02:00:00:00:00:01 dev {device} nud permanent")
        } else {
            format!("-n {space} neigh del {ip_to} dev {device}")
        };
        assert!(ip(&line), "{line}");
    }
}

impl Cluster {
    /// Cuts a node off. Only where it has a namespace.
    pub(crate) fn cut(&self, at: usize, cut: Cut) {
        self.spaces.as_ref().expect("the nodes are apart").set(at, cut, true);
    }

    /// Takes back a cut.
    pub(crate) fn join(&self, at: usize, cut: Cut) {
        self.spaces.as_ref().expect("the nodes are apart").set(at, cut, false);
    }
}

fn ip_of(at: usize) -> IpAddr {
    address(u8::try_from(at + 1).expect("few nodes"))
}

/// Runs of these tests beside each other have networks of their own.
fn address(host: u8) -> IpAddr {
    let [.., low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, 213, low, host))
}

fn ip(line: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
