//! A clock that steps while the embedded engine restarts: what it knows of time must not be lost with the process.
//!
//! What holds within one process is in `contract/clock`.

use seenby::{
    domain::{ExpiresAt, Registration, Role, Timestamp},
    store::{Mark, Store},
};

use super::{
    conversation, counts_at,
    crash::{Disk, WAYS, Way, pass},
    group, message, read_messages, register_at, registration, user, users,
};

/// 2028-02-29T23:59:59Z.
const END_S: u64 = 1_835_481_599;
const HOUR_S: u64 = 3_600;
const MONTH_S: u64 = 31 * 24 * HOUR_S;

fn at(unix_s: u64) -> Timestamp {
    Timestamp { unix_ms: unix_s * 1_000 }
}

fn ending(id: &str, unix_s: u64) -> Registration {
    Registration { expires_at: ExpiresAt { unix_s }, ..registration(id, "alice") }
}

/// `m1`, which bob has read and which ends at [`END_S`], and `m2`, which ends an hour later.
async fn chat(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &[]).await;
    register_at(store, "c", ending("m1", END_S), at(END_S - 60)).await;
    register_at(store, "c", ending("m2", END_S + HOUR_S), at(END_S - 60)).await;
    let read = Mark {
        conversation: conversation("c"),
        reader: user("bob"),
        read: read_messages(&["m1"]),
        by: Role::App,
    };
    assert_eq!(store.mark(vec![read], at(END_S - 30)).await.unwrap()[0].marked, 1);
}

async fn listed(store: &dyn Store, now: Timestamp) -> Vec<String> {
    let (list, _) = store.messages(&conversation("c"), None, 9, now).await.unwrap();
    list.into_iter().map(|known| format!("{} {}", known.message, known.receipts.read)).collect()
}

#[tokio::test]
async fn a_step_back_ends_nothing_early_and_prolongs_nothing_over_a_restart() {
    for way in WAYS {
        let mut disk = Disk::new();
        chat(disk.store()).await;
        pass(&mut disk, way).await;
        let back = at(END_S - 2 * HOUR_S);
        assert_eq!(disk.store().sweep(back).await.unwrap(), 0);
        assert_eq!(listed(disk.store(), back).await, ["m1 1", "m2 0"], "{way:?}");
        pass(&mut disk, way).await;
        assert_eq!(listed(disk.store(), at(END_S - 1)).await, ["m1 1", "m2 0"], "{way:?}");
        assert_eq!(listed(disk.store(), at(END_S)).await, ["m2 0"], "{way:?}");
        assert_eq!(disk.store().sweep(at(END_S)).await.unwrap(), 1, "{way:?}");
        assert_eq!(disk.store().vitals().messages, 1);
    }
}

/// Sweeps `m1`, passes, and looks with a clock that stands an hour earlier.
async fn sweep_and_step_back(way: Way) {
    let mut disk = Disk::new();
    chat(disk.store()).await;
    // In the base as well as in the journal.
    disk.store().checkpoint().await;
    assert_eq!(disk.store().sweep(at(END_S)).await.unwrap(), 1);
    for now in [at(END_S), at(END_S - HOUR_S)] {
        pass(&mut disk, way).await;
        assert_eq!(listed(disk.store(), now).await, ["m2 0"], "{way:?}");
        assert_eq!(counts_at(disk.store(), "c", &["m1"], now).await, [None], "{way:?}");
    }
    assert_eq!(disk.store().vitals().messages, 1, "{way:?}");
}

#[tokio::test]
async fn what_was_swept_stays_away_over_a_restart_and_a_step_back() {
    sweep_and_step_back(Way::Restart).await;
}

#[tokio::test]
async fn what_was_swept_stays_away_over_a_checkpoint_a_crash_and_a_step_back() {
    sweep_and_step_back(Way::CrashAfterCheckpoint).await;
}

#[tokio::test]
async fn what_was_swept_stays_away_over_a_crash_and_a_step_back() {
    sweep_and_step_back(Way::Crash).await;
}

/// Takes the id of an expired message again, passes, and looks with a clock that stands an hour earlier.
async fn take_again_and_step_back(swept: bool, way: Way) {
    let mut disk = Disk::new();
    chat(disk.store()).await;
    if swept {
        assert_eq!(disk.store().sweep(at(END_S)).await.unwrap(), 1);
    }
    register_at(disk.store(), "c", ending("m1", END_S + HOUR_S), at(END_S)).await;
    for now in [at(END_S), at(END_S - HOUR_S)] {
        pass(&mut disk, way).await;
        assert_eq!(listed(disk.store(), now).await, ["m2 0", "m1 0"], "swept: {swept}, {way:?}");
        assert_eq!(counts_at(disk.store(), "c", &["m1"], now).await, [Some((0, 1))]);
    }
}

#[tokio::test]
async fn an_id_that_was_taken_again_is_the_later_message_over_a_restart_and_a_step_back() {
    for way in WAYS {
        take_again_and_step_back(false, way).await;
    }
    take_again_and_step_back(true, Way::Restart).await;
    take_again_and_step_back(true, Way::CrashAfterCheckpoint).await;
}

#[tokio::test]
async fn an_id_that_was_swept_and_taken_again_is_one_message_over_a_crash_and_a_step_back() {
    take_again_and_step_back(true, Way::Crash).await;
}

#[tokio::test]
async fn a_month_ahead_all_has_ended_and_rosters_stay_over_a_restart() {
    for way in WAYS {
        let mut disk = Disk::new();
        chat(disk.store()).await;
        for n in 0..300 {
            let end = END_S + n % 9 * HOUR_S;
            register_at(disk.store(), "c", ending(&format!("n{n}"), end), at(END_S - 60)).await;
        }
        pass(&mut disk, way).await;
        let ahead = at(END_S + MONTH_S);
        assert_eq!(listed(disk.store(), ahead).await, [""; 0], "{way:?}");
        assert_eq!(disk.store().sweep(ahead).await.unwrap(), 302, "{way:?}");
        disk.store().checkpoint().await;
        // Behind this the journal's older segment is gone, too.
        assert_eq!(disk.store().sweep(ahead).await.unwrap(), 0, "{way:?}");
        pass(&mut disk, way).await;
        assert_eq!(disk.store().vitals().messages, 0, "{way:?}: neither base nor journal has them");
        assert_eq!(listed(disk.store(), at(END_S - 60)).await, [""; 0], "{way:?}: nor do they come back");
        let roster = disk.store().roster(&conversation("c"), None, 9).await.unwrap().unwrap();
        assert_eq!((roster.version, roster.members), (1, users(&["alice", "bob"])), "{way:?}");
        let next = register_at(disk.store(), "c", ending("m1", END_S + 2 * MONTH_S), ahead).await;
        assert_eq!(next.order.0, 303, "{way:?}: the order goes on");
        assert!(disk.store().message(&conversation("c"), &message("m1"), ahead).await.unwrap().is_some());
    }
}
