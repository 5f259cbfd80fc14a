//! How the store's threads share the processors with those that answer.

use rustix::process::getpriority_process;
use thread_priority::{
    NormalThreadSchedulePolicy::{Batch, Other},
    ThreadPriority, ThreadPriorityValue,
    ThreadSchedulePolicy::Normal,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};

/// Nice 0, as the crate counts: `(39 * (1 - 47 / 99)) as i8 - 20`.
const USUAL: u8 = 47;

/// From now on this thread, and those that it begins, wait for their turn when work comes to them, and take the processor
/// from no thread that is answering: `SCHED_BATCH`, see sched(7). Their share of the time stays what it was. Where the
/// process was given another policy or nice value, that stays; where it is refused, the thread runs as others do.
pub(super) fn stand_back() {
    let is_usual = thread_schedule_policy() == Ok(Normal(Other)) && getpriority_process(None) == Ok(0);
    // It sets the nice value along with the policy.
    let Ok(usual) = ThreadPriorityValue::try_from(USUAL).map(ThreadPriority::Crossplatform) else { return };
    if is_usual && let Err(error) = set_thread_priority_and_policy(thread_native_id(), usual, Normal(Batch)) {
        tracing::debug!(?error, "a thread of the store does not stand back for those that answer");
    }
}
