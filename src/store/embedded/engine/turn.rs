//! How the store's threads share the processors with those that answer.

use rustix::process::getpriority_process;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Nice 0, as the crate counts: 0 to 99 is nice 19 to -20.
const USUAL: u8 = 47;

/// From now on this thread waits for its turn when work comes to it, and takes the processor from no thread that is
/// answering: `SCHED_BATCH`, see sched(7). Its share of the time stays what it was. Where it is refused, or the process
/// was given another nice value, nothing changes.
pub(super) fn wait_for_turns() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let usual = ThreadPriorityValue::try_from(USUAL).map(ThreadPriority::Crossplatform);
    // It sets the nice value along with it.
    if let (Ok(0), Ok(usual)) = (getpriority_process(None), usual)
        && let Err(error) = set_thread_priority_and_policy(thread_native_id(), usual, policy)
    {
        tracing::debug!(?error, "the store's threads take their turns at once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This thread's policy and nice value, as proc_pid_stat(5) has them.
    fn scheduled() -> (String, String) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name, which is the second field and may have spaces, ends with the last bracket.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let field = |number: usize| fields.split(' ').nth(number - 3).unwrap().to_owned();
        (field(41), field(19))
    }

    #[test]
    fn a_thread_of_usual_niceness_becomes_a_batch_and_stays_as_nice() {
        let turn = || {
            let before = scheduled();
            wait_for_turns();
            (before, scheduled())
        };
        let ((policy, nice), after) = std::thread::spawn(turn).join().unwrap();
        let is_usual = nice == "0";
        assert_eq!(after, (if is_usual { "3".to_owned() } else { policy }, nice));
    }
}
