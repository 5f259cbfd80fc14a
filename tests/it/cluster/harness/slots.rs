//! Moving a slot from one primary to another, key by key, while clients go on.

use std::{process::Command, time::Duration};

use super::{Cluster, Node, node::program, resp};

/// How long moving some keys may take.
const MOVE_MAX: Duration = Duration::from_secs(20);

impl Cluster {
    /// Moves the slot with all its keys, one after the other, and calls `between` before each and at the end: meanwhile some keys
    /// are here and some there. Returns how many there were.
    pub(crate) fn move_slot(&self, slot: u16, to: usize, mut between: impl FnMut()) -> usize {
        let view = self.seen_by(self.node(to));
        let (from, _) = view.iter().find(|(_, seen)| seen.has(slot)).expect("a slot has a primary");
        let (source, target) = (self.node(*from), self.node(to));
        let number = slot.to_string();
        target.tell(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &view[from].id]);
        source.tell(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &view[&to].id]);
        let mut moved = 0;
        loop {
            let keys = source.tell(&["CLUSTER", "GETKEYSINSLOT", &number, "100"]);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                between();
                moved += usize::from(migrate(source, target, &key));
            }
        }
        between();
        // The new owner first: so at no time nobody has it. Then all, as the tool that comes with Valkey does.
        for node in [target, source].into_iter().chain(self.running()) {
            if node.info("replication", "role").as_deref() == Some("master") {
                node.tell(&["CLUSTER", "SETSLOT", &number, "NODE", &view[&to].id]);
            }
        }
        moved
    }

    /// The tool that comes with Valkey, told to move so many slots; they are the lowest that `from` has.
    pub(crate) fn reshard(&self, from: usize, to: usize, count: u16) -> Command {
        let id = |at| self.node(at).tell(&["CLUSTER", "MYID"]).concat();
        let mut command = Command::new(program("valkey-cli"));
        command.args(["--cluster", "reshard", &self.node(to).address().to_string()]);
        command.args(["--cluster-from", &id(from), "--cluster-to", &id(to)]);
        command.args(["--cluster-slots", &count.to_string(), "--cluster-yes"]);
        command
    }
}

/// Whether the key was there to be moved.
fn migrate(source: &Node, target: &Node, key: &str) -> bool {
    let (ip, port) = (target.place.ip.to_string(), target.place.port.to_string());
    let limit = MOVE_MAX.as_millis().to_string();
    let said = resp::ask(source.address(), &["MIGRATE", &ip, &port, key, "0", &limit], MOVE_MAX);
    let said = said.unwrap_or_else(|error| panic!("{key} cannot be moved: {error}"));
    said.concat() == "OK"
}
