//! Says on one line what `cargo test` leaves out, since ignored tests are easy to overlook.

use std::path::Path;

fn main() {
    // Whoever lists or runs tests by name is not told again.
    if std::env::args().len() > 1 {
        return;
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/traces");
    let traces = std::env::var_os("TRACES_DIR").is_some() || beside.is_dir();
    let traces = if traces { "" } else { ", recorded traces (none at TRACES_DIR)" };
    println!(
        "left out: tests that need strace, curl or Valkey (tests/run), long ones (tests/run --long){traces}"
    );
}
