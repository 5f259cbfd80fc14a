//! The scripts, each as a call that a node carries out at once.

use std::sync::LazyLock;

use redis::Cmd;

/// A script.
pub(super) struct Script {
    pub(super) text: String,
    sha1: String,
}

macro_rules! scripts {
    ($($name:ident $file:literal)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file, ".lua"))));)*

        /// All of them.
        pub(super) fn all() -> Vec<&'static Script> {
            vec![$(&$name),*]
        }
    };
}

scripts! {
    ROSTER_REPLACE "roster_replace"
    ROSTER_CHANGE "roster_change"
    ROSTER "roster"
    REGISTER "register"
    MARK "mark"
    MARK_UP_TO "mark_up_to"
    PLACE "place"
    PULL "pull"
    MESSAGES "messages"
    READERS "readers"
    UNREAD "unread"
    FORGET_MESSAGE "forget_message"
    RESET_MESSAGE "reset_message"
    END_LIFE "end_life"
    CLEAR "clear"
    HIDE "hide"
    LOOKED_UP "looked_up"
    PART "part"
    PURGE "purge"
    SWEEP "sweep"
    IS_THERE "is_there"
    GENERATIONS "generations"
    EXPORT_HEAD "export_head"
    EXPORT_NAMES "export_names"
    EXPORT_RUN "export_run"
    RESTORE_HEAD "restore_head"
    RESTORE_NAMES "restore_names"
    RESTORE_ROSTER "restore_roster"
    RESTORE_RUN "restore_run"
}

impl Script {
    fn new(text: &str) -> Self {
        let text = format!("{}{text}", include_str!("scripts/prelude.lua"));
        let sha1 = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha1 }
    }

    /// This script for the conversation whose head is at `head`; its arguments are to follow.
    pub(super) fn on(&self, head: &str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.sha1).arg(1).arg(head);
        command
    }
}
