//! The power cut: a run of the real binary is recorded under strace, with every write, sync, name and answer; of its disk
//! images are made as a power cut at any moment may leave them; each must open and hold every answered write.
//!
//! `script` makes up the writes, `record` has a server do them, `trace` reads what strace saw, `run` says when what was
//! answered; `replay` does the calls to a `disk`, `image` cuts the power, `judge` opens what is left, and `cuts` does that a
//! thousand times.
//!
//! An image that fails is told with its seed, and its recording is kept. `SEENBY_TEST_POWER='RECORDING SEED'` makes
//! that one image again.

mod cuts;
mod disk;
mod image;
mod judge;
mod record;
mod replay;
mod run;
mod script;
mod trace;

use std::{env, ops::Range, path::Path};

use cuts::Recorded;
use record::{End, Plan};

/// Names a recording and a seed.
const AGAIN: &str = "SEENBY_TEST_POWER";

/// Checkpoints and sweeps as often as can be, in a journal as small as can be, so that power cuts meet them.
const OFTEN: [&str; 6] =
    ["--checkpoint-every", "100ms", "--journal-bytes-max", "1MiB", "--sweep-every", "100ms"];
/// Checkpoints only at an end, or when the journal is full: they are large, and so is what a start plays back.
const LARGE: [&str; 6] =
    ["--checkpoint-every", "12h", "--journal-bytes-max", "1MiB", "--sweep-every", "100ms"];

/// Several lives that end both ways.
fn plan(seed: u64, settings: &[&'static str], answers: usize) -> Plan {
    use End::{Killed, Terminated};
    let lives = [Killed, Terminated, Killed, Killed].map(|end| (answers, end)).to_vec();
    Plan { seed, writers: 4, lives, args: settings.to_vec() }
}

fn check_all(seeds: Range<u64>, images: usize) {
    if let Ok(asked) = env::var(AGAIN) {
        let (recording, seed) = asked.rsplit_once(' ').expect("a recording and a seed");
        return Recorded::read(Path::new(recording), seed.parse().expect("a seed"), 1).check();
    }
    for seed in seeds {
        let plan = match seed % 3 {
            1 => plan(seed, &OFTEN, 600),
            2 => plan(seed, &LARGE, 1_000),
            // Of a start and little more.
            _ => plan(seed, &OFTEN, 5),
        };
        Recorded::record(&plan, images).check();
    }
}

mod with_tools {
    use super::{OFTEN, check_all, cuts::Recorded, plan, replay::Syncs};

    #[test]
    #[ignore = "needs strace"]
    fn a_thousand_power_cuts_lose_nothing_that_was_answered() {
        check_all(1..4, 334);
    }

    #[test]
    #[ignore = "needs strace"]
    fn a_sync_that_is_left_out_is_found() {
        let recorded = Recorded::record(&plan(4, &OFTEN, 60), 150);
        for left_out in
            [Syncs::AllBut(".journal"), Syncs::AllBut(".pages"), Syncs::AllBut("db"), Syncs::Files]
        {
            assert!(!recorded.failures(left_out).is_empty(), "all holds with {left_out:?}");
        }
    }
}

mod long {
    #[test]
    #[ignore = "some minutes"]
    fn ten_thousand_power_cuts_lose_nothing_that_was_answered() {
        super::check_all(100..112, 834);
    }
}
