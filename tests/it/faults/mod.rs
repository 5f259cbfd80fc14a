//! The store on disks that fill up, fail, hang and rot.

mod damage;
mod failing;
mod full;
mod hanging;
mod server;

/// What needs `strace`.
mod with_tools {
    use super::failing::{Share, check_running, check_starting};

    fn some(seed: u64) -> Share {
        Share::Some(fastrand::Rng::with_seed(seed))
    }

    #[test]
    #[ignore = "needs strace"]
    fn a_call_that_fails_loses_nothing_and_is_told() {
        check_running(some(1));
    }

    #[test]
    #[ignore = "needs strace"]
    fn a_call_that_fails_at_a_start_loses_nothing_and_is_told() {
        check_starting(some(2));
    }

    #[test]
    #[ignore = "needs strace"]
    fn a_commit_that_hangs_ends_the_process() {
        super::hanging::a_commit_that_hangs_ends_the_process();
    }
}

/// All of it, for `tests/run --long`.
mod long {
    use super::failing::{Share, check_running, check_starting};

    #[test]
    #[ignore = "takes minutes"]
    fn a_base_damaged_in_thousands_of_ways_opens_whole_or_is_refused_by_name() {
        super::damage::check(1_000..6_000);
    }

    #[test]
    #[ignore = "takes minutes, and needs strace"]
    fn each_call_that_fails_loses_nothing_and_is_told() {
        check_running(Share::All);
    }

    #[test]
    #[ignore = "takes minutes, and needs strace"]
    fn each_call_that_fails_at_a_start_loses_nothing_and_is_told() {
        check_starting(Share::All);
    }
}
