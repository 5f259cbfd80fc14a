//! Pages, mark by mark.

use super::*;
use crate::domain::{ExpiresAt, MessageId};

fn message(name: &str, sender: u32, order: u64) -> Message {
    Message {
        id: MessageId::new(name).unwrap(),
        sender: Slot(sender),
        order_asked: false,
        order: Order(order),
        audience_asked: false,
        expires_in_s: None,
        expires_at: ExpiresAt { unix_s: order },
        generation: Generation(order),
    }
}

fn page(messages: u8) -> Page {
    let audience = Arc::new((0..1_000).map(Slot).collect::<SlotSet>());
    let mut page = Page::default();
    for at in 0..messages {
        page.put(
            Position(at),
            &message(&format!("m{at}"), u32::from(at), u64::from(at) + 1),
            audience.clone(),
        );
    }
    page
}

#[test]
fn a_mark_counts_once_and_never_for_the_sender() {
    let mut page = page(3);
    assert_eq!(page.mark(Slot(1), Positions(0b111)), Positions(0b101), "1 sent the message at position 1");
    assert_eq!(page.mark(Slot(1), Positions(0b111)), Positions(0));
    assert_eq!(page.mark(Slot(1_000), Positions(0b111)), Positions(0), "outside the audience");
    assert_eq!(page.mark(Slot(999), Positions(u64::MAX)), Positions(0b111), "no message, no mark");
    let counts =
        |at| page.receipts(Position(at), &Hidden::default()).map(|receipts| (receipts.read, receipts.of));
    assert_eq!([counts(0), counts(1), counts(3)], [Some((2, 999)), Some((1, 999)), None]);
}

#[test]
fn readers_and_the_unread_share_out_the_audience() {
    let mut page = page(2);
    page.mark(Slot(700), Positions(0b01));
    page.mark(Slot(3), Positions(0b11));
    let nobody = Hidden::default();
    let list =
        |read, after| page.readers(Position(0), read, after, &nobody).map(|slot| slot.0).collect::<Vec<_>>();
    assert_eq!(list(true, None), [3, 700]);
    assert_eq!(list(true, Some(Slot(3))), [700]);
    assert_eq!(list(false, None).len(), 997, "1,000 less the sender and two readers");
    assert!(!list(false, None).contains(&0));
}

#[test]
fn a_copy_changes_alone() {
    let mut before = page(1);
    before.mark(Slot(5), Positions(1));
    let mut after = before.clone();
    after.mark(Slot(6), Positions(1));
    after.reset(Position(0), Generation(99));
    assert_eq!(before.receipts(Position(0), &Hidden::default()).map(|receipts| receipts.read), Some(1));
    assert!(before.read_by(Slot(5)).contains(Position(0)));
    let receipts = after.receipts(Position(0), &Hidden::default()).unwrap();
    assert_eq!((receipts.read, receipts.generation), (0, Generation(99)));
}

#[test]
fn a_forgotten_message_leaves_nothing_behind() {
    let mut page = page(2);
    page.mark(Slot(7), Positions(0b11));
    page.forget(Position(0).only());
    assert_eq!((page.message(Position(0)), page.receipts(Position(0), &Hidden::default())), (None, None));
    assert!(page.outline().audience(Position(0)).is_none());
    assert_eq!(page.rows().collect::<Vec<_>>(), [(Slot(7), Positions(0b10))]);
    assert!(!page.is_empty());
    page.forget(Position(1).only());
    assert!(page.is_empty());
    assert_eq!(page.rows().count(), 0);
}

#[test]
fn a_page_tells_what_is_live_and_what_comes_first() {
    let page = page(3);
    let now = Timestamp { unix_ms: 2_000 };
    assert_eq!(page.live(now), Positions(0b100));
    assert_eq!(page.expired(now), Positions(0b011));
    assert_eq!(page.up_to(Order(2)), Positions(0b011));
    assert_eq!(page.outline().expires_first(), Some(ExpiresAt { unix_s: 1 }));
}

#[test]
fn rows_that_are_restored_count_as_if_they_had_been_marked() {
    let (mut marked, mut restored) = (page(64), page(64));
    let mut random = fastrand::Rng::with_seed(7);
    for slot in 0..1_000 {
        marked.mark(Slot(slot), Positions(random.u64(..) & random.u64(..)));
    }
    assert!(restored.restore(marked.rows().collect::<Vec<_>>()));
    for at in 0..64 {
        assert_eq!(
            restored.receipts(Position(at), &Hidden::default()),
            marked.receipts(Position(at), &Hidden::default()),
            "{at}"
        );
    }
    assert_eq!(restored.rows().collect::<Vec<_>>(), marked.rows().collect::<Vec<_>>());
    assert!(!page(64).restore([(Slot(3), Positions(0b1000))]), "3 sent it");
    assert!(!page(64).restore([(Slot(1_000), Positions(1))]), "outside the audience");
}

#[test]
fn an_outline_tells_what_it_can_without_the_messages() {
    let page = page(3);
    let outline = page.outline();
    let at = |unix_s: u64| Timestamp { unix_ms: unix_s * 1_000 };
    assert_eq!([outline.live(at(0)), outline.live(at(3))], [Some(Positions(0b111)), Some(Positions(0))]);
    assert_eq!(outline.live(at(2)), None, "one has expired, one has not");
    assert_eq!(
        [outline.up_to(Order(0)), outline.up_to(Order(3))],
        [Some(Positions(0)), Some(Positions(0b111))]
    );
    assert_eq!(outline.up_to(Order(2)), None);
    let each = outline.asked_each();
    for slot in [0, 1, 2, 3, 999, 1_000, 70_000].map(Slot) {
        assert_eq!(each.asked(slot), outline.asked(slot), "{slot:?}");
        let few = Positions(0b1010);
        assert_eq!(outline.asked_of(slot, few), Positions(outline.asked(slot).0 & few.0), "{slot:?}");
    }
}

#[test]
fn who_is_hidden_counts_in_nothing_and_stands_in_no_list() {
    let mut page = page(2);
    let mut hidden = Hidden::default();
    [0, 5, 6, 2_000].into_iter().for_each(|slot| hidden.set(Slot(slot), true));
    [5, 7].into_iter().for_each(|slot| _ = page.mark(Slot(slot), Positions(0b11)));
    let counts = |page: &Page, at, hidden: &Hidden| {
        page.receipts(Position(at), hidden).map(|receipts| (receipts.read, receipts.of, receipts.marks))
    };
    assert_eq!(counts(&page, 0, &hidden), Some((1, 997, 2)), "the sender was in no audience before");
    assert_eq!(counts(&page, 1, &hidden), Some((1, 996, 2)), "and is in that of the next message");
    let list = |read, hidden: &Hidden| {
        page.readers(Position(0), read, None, hidden).map(|slot| slot.0).collect::<Vec<_>>()
    };
    assert_eq!(list(true, &hidden), [7]);
    assert!(!list(false, &hidden).contains(&6) && list(false, &hidden).contains(&8));

    page.mark(Slot(8), Positions(0b01));
    assert_eq!(
        counts(&page, 0, &hidden),
        Some((2, 997, 3)),
        "what was counted before holds for others' marks"
    );
    hidden.set(Slot(5), false);
    assert_eq!(counts(&page, 0, &hidden), Some((3, 998, 3)), "what was read before shows again");
    page.forget(Position(0).only());
    assert_eq!(counts(&page, 0, &hidden), None);
    page.put(
        Position(0),
        &message("anew", 7, 9),
        Arc::new([Slot(6), Slot(7), Slot(8)].into_iter().collect()),
    );
    assert_eq!(counts(&page, 0, &hidden), Some((0, 1, 0)), "counted anew for another message");
}

#[test]
fn who_is_hidden_is_part_of_a_states_name_where_it_was_asked() {
    let digest = |at, slots: &[u32]| {
        let page = page(3);
        let mut hidden = Hidden::default();
        slots.iter().for_each(|slot| hidden.set(Slot(*slot), true));
        page.receipts(Position(at), &hidden).unwrap().hidden
    };
    assert_eq!(digest(0, &[]), 0);
    assert_ne!(digest(0, &[5]), digest(0, &[6]));
    assert_ne!(digest(0, &[5]), digest(0, &[5, 6]));
    assert_eq!(digest(0, &[5, 6]), digest(2, &[6, 5]));
    assert_eq!([digest(0, &[0]), digest(0, &[5_000])], [0, 0], "the sender, and one who was not asked");
}

/// A page of 64 messages to 2,000 members who read in order: two thirds all of it, and some have stopped.
fn read_in_order() -> Page {
    let audience = Arc::new((0..2_000).map(Slot).collect::<SlotSet>());
    let mut page = Page::default();
    for at in 0..64 {
        let name = format!("0123456789abcdef{at:04}");
        let message = Message { generation: Generation(7_000_000), ..message(&name, u32::from(at) * 31, 9) };
        page.put(Position(at), &message, audience.clone());
    }
    for slot in 0..2_000 {
        let read = match slot % 40 {
            0..=25 => u64::MAX,
            26 => (1 << (slot % 63)) - 1,
            _ => 0,
        };
        page.mark(Slot(slot), Positions(read));
    }
    page
}

#[test]
fn a_packed_page_says_the_same_in_a_quarter_of_the_memory() {
    let page = read_in_order();
    let mut packed = page.clone();
    packed.pack();
    let (before, after) = (page.bytes(), packed.bytes());
    assert!(after * 4 < before && after < 64 * 85, "{after} bytes, {before} before");
    assert!(packed.rows().eq(page.rows()) && packed.messages().eq(page.messages()));
    assert_eq!(packed.mark(Slot(39), Positions(0b10)), Positions(0b10));
    assert_eq!(packed.mark(Slot(39), Positions(0b11)), Positions(0b01));
    assert!(page.read_by(Slot(39)).is_empty(), "a copy changes alone");
    assert!(packed.bytes() < after + 64, "a mark takes the room of a row");
    packed.forget(Positions(!1));
    assert!(packed.rows().all(|(_, row)| row == Positions(1)));
}

#[test]
fn a_page_that_was_read_back_is_packed() {
    let page = read_in_order();
    let mut restored = Page::default();
    let audience = page.outline().audience(Position(0)).cloned().unwrap();
    for (at, found) in page.messages() {
        let message = Message { order: found.order, ..message(found.id, found.sender.0, 9) };
        restored.put(at, &message, audience.clone());
    }
    assert!(restored.restore(page.rows().collect::<Vec<_>>()));
    assert!(restored.rows().eq(page.rows()));
    assert!(restored.bytes() * 4 < page.bytes(), "{} bytes", restored.bytes());
}
