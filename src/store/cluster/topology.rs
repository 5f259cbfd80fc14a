//! Which node has which hash slot, as the nodes themselves say.

use redis::Value;

use super::{
    keys::SLOTS,
    reply::{array, int, text},
    url::Node,
};

/// A view of the cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Topology {
    primaries: Vec<Node>,
    /// All nodes that have a slot, or a copy of one.
    pub(super) nodes: Vec<Node>,
    /// By slot: which of the primaries, if any.
    owners: Vec<Option<u16>>,
    /// How far the cluster had come when it said so. Of two views the one that has come further is right.
    pub(super) epoch: u64,
    /// Whether the node that said so was part of a cluster that works.
    pub(super) is_ok: bool,
}

impl Topology {
    /// What a node that was asked at `asked` answered to CLUSTER INFO and CLUSTER SLOTS; none if that does not read.
    pub(super) fn read(info: &Value, slots: &Value, asked: &Node) -> Option<Self> {
        let info = text(info)?;
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':').map(str::to_owned))
        };
        let mut topology = Self {
            owners: vec![None; SLOTS.into()],
            epoch: field("cluster_current_epoch")?.parse().ok()?,
            is_ok: field("cluster_state")? == "ok",
            ..Self::default()
        };
        for range in array(slots)? {
            let [first, last, holders @ ..] = array(range)? else { return None };
            let holders = holders.iter().map(|holder| node(holder, asked)).collect::<Option<Vec<_>>>()?;
            let owner = topology.index(holders.first()?.clone());
            topology.nodes.extend(holders);
            let (first, last) = (usize::try_from(int(first)?).ok()?, usize::try_from(int(last)?).ok()?);
            topology.owners.get_mut(first..=last)?.fill(Some(owner));
        }
        topology.nodes.sort();
        topology.nodes.dedup();
        Some(topology)
    }

    fn index(&mut self, node: Node) -> u16 {
        let at = self.primaries.iter().position(|known| *known == node).unwrap_or_else(|| {
            self.primaries.push(node);
            self.primaries.len() - 1
        });
        u16::try_from(at).expect("invariant: no more primaries than slots")
    }

    /// The node that has a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        let at = (*self.owners.get(usize::from(slot))?)?;
        self.primaries.get(usize::from(at))
    }

    /// Whether every slot has a node.
    pub(super) fn is_whole(&self) -> bool {
        self.is_ok && !self.owners.is_empty() && self.owners.iter().all(Option::is_some)
    }
}

/// A node as CLUSTER SLOTS names it. One that does not know its own address is where it was asked.
fn node(value: &Value, asked: &Node) -> Option<Node> {
    let [host, port, ..] = array(value)? else { return None };
    let host =
        text(host).filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.host.clone());
    Some(Node { host, port: u16::try_from(int(port)?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let node = Value::Array(vec![bulk(host), Value::Int(port), bulk("id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node])
    }

    #[test]
    fn a_view_says_where_each_slot_is() {
        let asked = Node { host: "seed".to_owned(), port: 1 };
        let info = bulk("cluster_state:ok\r\ncluster_current_epoch:6\r\n");
        let slots = Value::Array(vec![range(0, 9, "a", 7), range(10, 16_383, "", 8), range(5, 5, "a", 7)]);
        let topology = Topology::read(&info, &slots, &asked).unwrap();
        let owner = |slot| topology.owner(slot).map(ToString::to_string);
        assert_eq!((owner(9), owner(10)), (Some("a:7".to_owned()), Some("seed:8".to_owned())));
        assert_eq!((topology.nodes.len(), topology.epoch, topology.is_whole()), (2, 6, true));
        let part = Topology::read(&info, &Value::Array(vec![range(0, 9, "a", 7)]), &asked).unwrap();
        assert!(!part.is_whole() && part.owner(10).is_none());
        assert!(Topology::read(&info, &Value::Array(vec![range(0, 16_384, "a", 7)]), &asked).is_none());
        assert!(Topology::read(&bulk("ERR"), &slots, &asked).is_none());
        assert!(!Topology::default().is_whole() && Topology::default().owner(0).is_none());
    }
}
