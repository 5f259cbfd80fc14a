//! Deciding what a mark does.

use std::collections::BTreeMap;

use super::{
    conversation::PageNumber,
    draft::{Batch, Editing},
    record::Record,
};
use crate::{
    domain::{MessageId, Order, Positions, Refusal, Slot, Timestamp},
    store::{Mark, Marked, Read},
};

/// Takes marks one after the other.
pub(super) fn mark(batch: &mut Batch<'_>, marks: Vec<Mark>, now: Timestamp) -> Vec<Marked> {
    marks.into_iter().map(|mark| mark_one(batch, mark, now)).collect()
}

fn mark_one(batch: &mut Batch<'_>, mark: Mark, now: Timestamp) -> Marked {
    let Mark { conversation, reader, read } = mark;
    let known = batch.edit(&conversation, |editing| {
        let mut marking = Marking { reader: editing.slot(&reader), now, pages: BTreeMap::new() };
        let marked = marking.take(editing, &read);
        marking.record(editing);
        marked
    });
    known.unwrap_or_else(|| match read {
        Read::Messages(messages) => all_unknown(messages),
        Read::UpTo(message) => all_unknown(vec![message]),
        Read::UpToOrder(_) => Marked::default(),
    })
}

fn all_unknown(messages: Vec<MessageId>) -> Marked {
    let refused = messages.into_iter().map(|message| (message, Refusal::UnknownMessage));
    Marked { refused: refused.collect(), ..Marked::default() }
}

/// One mark on its way: what it touches, page by page.
struct Marking {
    /// None for a reader the conversation has never heard of.
    reader: Option<Slot>,
    now: Timestamp,
    pages: BTreeMap<PageNumber, Row>,
}

/// The reader's row of one page.
struct Row {
    asked: Positions,
    read: Positions,
    new: Positions,
}

impl Marking {
    fn take(&mut self, editing: &Editing<'_>, read: &Read) -> Marked {
        let mut marked = Marked::default();
        match read {
            Read::Messages(messages) => {
                for message in messages {
                    self.take_one(editing, message, &mut marked);
                }
            }
            Read::UpTo(message) => match editing.find(message, self.now) {
                Some(place) => {
                    let order = editing.look(place.page).and_then(|page| page.message(place.position));
                    if let Some(order) = order.map(|message| message.order) {
                        self.take_range(editing, order, &mut marked);
                    }
                }
                None => marked.refused.push((message.clone(), Refusal::UnknownMessage)),
            },
            Read::UpToOrder(order) => self.take_range(editing, *order, &mut marked),
        }
        marked
    }

    fn take_one(&mut self, editing: &Editing<'_>, message: &MessageId, marked: &mut Marked) {
        let place = editing.find(message, self.now);
        let Some((place, page)) = place.and_then(|place| Some((place, editing.look(place.page)?))) else {
            marked.refused.push((message.clone(), Refusal::UnknownMessage));
            return;
        };
        let row = self.reader.map(|reader| {
            self.pages.entry(place.page).or_insert_with(|| Row {
                asked: page.asked(reader),
                read: page.read_by(reader),
                new: Positions(0),
            })
        });
        match row.filter(|row| row.asked.contains(place.position)) {
            None => marked.refused.push((message.clone(), Refusal::NotInAudience)),
            Some(row) if row.read.contains(place.position) || row.new.contains(place.position) => {
                marked.already += 1;
            }
            Some(row) => {
                row.new.0 |= place.position.only().0;
                marked.marked += 1;
            }
        }
    }

    /// Costs a few steps for each page that was read before, and looks closer only where something may be new.
    fn take_range(&mut self, editing: &Editing<'_>, order: Order, marked: &mut Marked) {
        let Some(reader) = self.reader else { return };
        for (number, page) in editing.pages() {
            if page.order_first() > Some(order) {
                break;
            }
            let range = page.up_to(order).0 & page.live(self.now).0;
            let read = Positions(page.read_by(reader).0 & range);
            marked.already += read.len();
            let rest = range & !read.0;
            if rest != 0 {
                let asked = page.asked(reader);
                let new = Positions(rest & asked.0);
                marked.marked += new.len();
                self.pages.insert(number, Row { asked, read, new });
            }
        }
    }

    fn record(self, editing: &mut Editing<'_>) {
        let Some(reader) = self.reader else { return };
        let rows = self.pages.into_iter().filter(|(_, row)| !row.new.is_empty());
        let read: Vec<_> = rows.map(|(number, row)| (number.0, row.new.0)).collect();
        if !read.is_empty() {
            editing.record(Record::Marked { conversation: editing.key(), reader: reader.0, read });
        }
    }
}
