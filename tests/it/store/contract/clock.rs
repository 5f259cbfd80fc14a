//! A clock that steps: back an hour, forward a month, across midnight. Nothing is lost early or kept for ever.

use seenby::{
    domain::{ExpiresAt, Registration, Role, Timestamp, Viewer},
    store::{Half, Mark, Marked, ReadersWanted, Store},
};

use crate::store::{
    conversation, counts_at, group, message, read_messages, register_at, registration, user, users,
};

contract! {
    a_step_back_ends_nothing_early_and_prolongs_nothing
    what_was_swept_stays_away_when_the_clock_steps_back
    an_id_that_was_taken_again_stays_the_later_message_when_the_clock_steps_back
    a_month_ahead_all_has_ended_and_rosters_stay
    midnight_and_the_end_of_a_month_are_instants_like_others
}

/// 2028-02-29T23:59:59Z: the last second of a month, on a day that not every year has.
const LAST_SECOND: u64 = 1_835_481_599;
const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const MONTH_S: u64 = 31 * 24 * HOUR_S;

fn at(unix_s: u64) -> Timestamp {
    Timestamp { unix_ms: unix_s * 1_000 }
}

fn ending(id: &str, unix_s: u64) -> Registration {
    Registration { expires_at: ExpiresAt { unix_s }, ..registration(id, "alice") }
}

async fn mark_at(store: &dyn Store, id: &str, now: Timestamp) -> Marked {
    let mark = Mark {
        conversation: conversation("c"),
        reader: user("bob"),
        read: read_messages(&[id]),
        by: Role::App,
    };
    store.mark(vec![mark], now).await.unwrap().remove(0)
}

/// That nothing knows of `m1`.
async fn is_unknown(store: &dyn Store, now: Timestamp) {
    let (c, m1) = (conversation("c"), message("m1"));
    assert_eq!(counts_at(store, "c", &["m1"], now).await, [None]);
    assert_eq!(store.message(&c, &m1, now).await.unwrap(), None);
    assert_eq!(
        store
            .readers(&c, &m1, &Viewer::App, ReadersWanted { half: Half::Read, after: None, limit: 9 }, now)
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.messages(&c, None, 9, now).await.unwrap(), (vec![], false));
    assert_eq!(store.unread(&c, &user("bob"), now).await.unwrap().unread, 0);
    assert_eq!(mark_at(store, "m1", now).await.refused.len(), 1);
    assert!(!store.reset_message(c, m1, now).await.unwrap());
}

async fn a_step_back_ends_nothing_early_and_prolongs_nothing(store: &dyn Store) {
    let now = LAST_SECOND;
    group(store, "c", &["alice", "bob"], &[]).await;
    register_at(store, "c", ending("m1", now + MINUTE_S), at(now)).await;
    let back = now - HOUR_S;
    assert_eq!(store.sweep(at(back)).await.unwrap(), 0);
    assert_eq!(counts_at(store, "c", &["m1"], at(back)).await, [Some((0, 1))]);
    assert_eq!(mark_at(store, "m1", at(back)).await.marked, 1, "it is live, and can be read");
    register_at(store, "c", ending("m2", back + MINUTE_S), at(back)).await;

    // The later message ends first: each by its own end, whatever the clock said when it came.
    let first = back + MINUTE_S;
    assert_eq!(counts_at(store, "c", &["m1", "m2"], at(first - 1)).await, [Some((1, 1)), Some((0, 1))]);
    assert_eq!(counts_at(store, "c", &["m1", "m2"], at(first)).await, [Some((1, 1)), None]);
    assert_eq!(store.sweep(at(first)).await.unwrap(), 1);
    let last = Timestamp { unix_ms: (now + MINUTE_S) * 1_000 - 1 };
    assert_eq!(counts_at(store, "c", &["m1"], last).await, [Some((1, 1))]);
    is_unknown(store, at(now + MINUTE_S)).await;
    assert_eq!(store.sweep(at(now + MINUTE_S)).await.unwrap(), 1);
    assert_eq!(store.vitals().messages, 0);
}

async fn what_was_swept_stays_away_when_the_clock_steps_back(store: &dyn Store) {
    let end = LAST_SECOND;
    group(store, "c", &["alice", "bob"], &[]).await;
    register_at(store, "c", ending("m1", end), at(end - MINUTE_S)).await;
    assert_eq!(mark_at(store, "m1", at(end - 1)).await.marked, 1);
    assert_eq!(store.sweep(at(end)).await.unwrap(), 1);
    for now in [at(end), at(end - 1), at(end - HOUR_S)] {
        is_unknown(store, now).await;
    }
    register_at(store, "c", ending("m1", end), at(end - HOUR_S)).await;
    assert_eq!(counts_at(store, "c", &["m1"], at(end - 1)).await, [Some((0, 1))], "a new message, unread");
}

async fn an_id_that_was_taken_again_stays_the_later_message_when_the_clock_steps_back(store: &dyn Store) {
    let end = LAST_SECOND;
    group(store, "c", &["alice", "bob"], &[]).await;
    for swept in [false, true] {
        let end = end + u64::from(swept) * HOUR_S;
        register_at(store, "c", ending("m1", end), at(end - MINUTE_S)).await;
        assert_eq!(mark_at(store, "m1", at(end - 1)).await.marked, 1);
        if swept {
            store.sweep(at(end)).await.unwrap();
        }
        register_at(store, "c", ending("m1", end + MINUTE_S), at(end)).await;
        for now in [at(end), at(end - HOUR_S)] {
            assert_eq!(counts_at(store, "c", &["m1"], now).await, [Some((0, 1))], "swept: {swept}");
            let (list, _) = store.messages(&conversation("c"), None, 9, now).await.unwrap();
            assert_eq!(list.len(), 1, "swept: {swept}, {list:?}");
        }
        store.forget_message(conversation("c"), message("m1"), at(end)).await.unwrap();
    }
}

async fn a_month_ahead_all_has_ended_and_rosters_stay(store: &dyn Store) {
    let now = LAST_SECOND;
    group(store, "c", &["alice", "bob"], &[]).await;
    for n in 1..=200 {
        register_at(store, "c", ending(&format!("m{n}"), now + n * HOUR_S), at(now)).await;
    }
    let ahead = at(now + MONTH_S);
    is_unknown(store, ahead).await;
    assert_eq!(store.sweep(ahead).await.unwrap(), 200);
    assert_eq!(store.vitals().messages, 0);
    let roster = store.roster(&conversation("c"), None, 9).await.unwrap().unwrap();
    assert_eq!((roster.version, roster.members), (1, users(&["alice", "bob"])));
    assert_eq!(store.conversations(None, 9, ahead).await.unwrap().0, [conversation("c")]);
    let next = register_at(store, "c", ending("m1", now + 2 * MONTH_S), ahead).await;
    assert_eq!(next.order.0, 201, "the order goes on");
    assert_eq!(counts_at(store, "c", &["m1"], ahead).await, [Some((0, 1))]);
}

async fn midnight_and_the_end_of_a_month_are_instants_like_others(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &[]).await;
    let seconds = LAST_SECOND - 2..=LAST_SECOND + 3;
    for end in seconds.clone() {
        register_at(store, "c", ending(&format!("m{end}"), end), at(LAST_SECOND - 10)).await;
    }
    for (gone, now) in seconds.enumerate() {
        let before = Timestamp { unix_ms: now * 1_000 - 1 };
        for (now, left) in [(before, 6 - gone), (at(now), 5 - gone)] {
            let (list, _) = store.messages(&conversation("c"), None, 9, now).await.unwrap();
            assert_eq!(list.len(), left, "{now:?}");
        }
        assert_eq!(store.sweep(before).await.unwrap(), 0);
        assert_eq!(store.sweep(at(now)).await.unwrap(), 1);
    }
}
