//! What is done to a store, at random.

use proptest::{collection::vec, prelude::*};

pub(super) const CONVERSATIONS: u8 = 2;
pub(super) const USERS: u8 = 6;
pub(super) const MESSAGES: u8 = 12;

#[derive(Debug, Clone)]
pub(super) enum Op {
    Replace(u8, Vec<u8>),
    Change(u8, Vec<u8>, Vec<u8>),
    Register(u8, Vec<Sent>),
    /// So many messages at once that pages fill up.
    Fill(u8, u8),
    Mark(Vec<(u8, u8, What, bool)>),
    Reset(u8, u8),
    Forget(u8, u8),
    End(u8),
    Hide(u8, bool),
    ForgetUser(u8),
    Sweep,
    Later(u16),
    Checkpoint,
    Restart,
    Crash,
    /// An export begins, and goes on beside what follows.
    Export,
    /// Each engine goes on as what the other one's dump restores to.
    Move,
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) message: u8,
    pub(super) sender: u8,
    pub(super) audience: Option<Vec<u8>>,
    pub(super) expires_in_s: Option<u32>,
    pub(super) order: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Messages(Vec<u8>),
    UpTo(u8),
    UpToOrder(u64),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let c = || 0..CONVERSATIONS;
    let some_users = || vec(0..USERS, 0..5);
    let sent = (
        0..MESSAGES,
        0..USERS,
        proptest::option::weighted(0.3, some_users()),
        proptest::option::weighted(0.4, 1..60_u32),
        proptest::option::weighted(0.2, 0..400_u64),
    )
        .prop_map(|(message, sender, audience, expires_in_s, order)| Sent {
            message,
            sender,
            audience,
            expires_in_s,
            order,
        });
    let what = prop_oneof![
        vec(0..MESSAGES, 1..6).prop_map(What::Messages),
        (0..MESSAGES).prop_map(What::UpTo),
        (0..400_u64).prop_map(What::UpToOrder),
    ];
    prop_oneof![
        2 => (c(), some_users()).prop_map(|(c, users)| Op::Replace(c, users)),
        2 => (c(), some_users(), some_users()).prop_map(|(c, add, remove)| Op::Change(c, add, remove)),
        6 => (c(), vec(sent, 1..4)).prop_map(|(c, sent)| Op::Register(c, sent)),
        1 => (c(), 1..90_u8).prop_map(|(c, count)| Op::Fill(c, count)),
        8 => vec((c(), 0..USERS, what, any::<bool>()), 1..4).prop_map(Op::Mark),
        2 => (c(), 0..MESSAGES).prop_map(|(c, m)| Op::Reset(c, m)),
        2 => (c(), 0..MESSAGES).prop_map(|(c, m)| Op::Forget(c, m)),
        1 => c().prop_map(Op::End),
        3 => (0..USERS, any::<bool>()).prop_map(|(u, is_hidden)| Op::Hide(u, is_hidden)),
        1 => (0..USERS).prop_map(Op::ForgetUser),
        1 => Just(Op::Sweep),
        2 => (1..40_000_u16).prop_map(Op::Later),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Restart),
        1 => Just(Op::Crash),
        2 => Just(Op::Export),
        1 => Just(Op::Move),
    ]
}
