//! What must be done at the end, whatever the end is: also when the tests are killed, or leave by way of a static.

use std::process::{Child, Command, Stdio};

/// Runs a line of shell when it is dropped, or when this process is gone. A child waits for that.
#[derive(Debug)]
pub(crate) struct Keeper(Child);

impl Keeper {
    pub(crate) fn new(line: &str) -> Self {
        // Its input ends when nobody holds the other side any more. A Ctrl-C is for the tests.
        let script = format!("trap '' INT TERM HUP; cat >/dev/null; {line}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("a shell"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // This closes its input first.
        let _ = self.0.wait();
    }
}
