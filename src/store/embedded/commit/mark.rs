//! Deciding what a mark does.

use std::collections::BTreeMap;

use crate::store::embedded::{
    commit::draft::Batch, commit::editing::Editing, hot::conversation::PageNumber, record::Record,
};
use crate::{
    domain::{MessageId, Order, Outline, Positions, Refusal, Role, Slot, Timestamp},
    store::{Mark, Marked, Read},
};

/// Takes marks one after the other.
pub(in crate::store::embedded) fn mark(batch: &mut Batch<'_>, marks: &[Mark], now: Timestamp) -> Vec<Marked> {
    marks.iter().map(|mark| mark_one(batch, mark, now)).collect()
}

fn mark_one(batch: &mut Batch<'_>, mark: &Mark, now: Timestamp) -> Marked {
    let Mark { conversation, reader, read, by } = mark;
    let is_kept = !batch.is_hidden(reader);
    let known = batch.edit(conversation, |editing| {
        let reader = editing.slot(reader);
        let mut marking = Marking { reader, by: *by, now, pages: BTreeMap::new(), counted_before: None };
        let marked = marking.take(editing, read);
        if is_kept {
            marking.record(editing);
        }
        marked
    });
    known.unwrap_or_else(|| match read {
        Read::Messages(messages) => all_unknown(messages),
        Read::UpTo(message) => all_unknown(std::slice::from_ref(message)),
        Read::UpToOrder(_) => Marked::default(),
    })
}

fn all_unknown(messages: &[MessageId]) -> Marked {
    let refused = messages.iter().map(|message| (message.clone(), Refusal::UnknownMessage));
    Marked { refused: refused.collect(), ..Marked::default() }
}

/// One mark on its way: what it touches, page by page.
struct Marking {
    /// None for a reader the conversation has never heard of.
    reader: Option<Slot>,
    by: Role,
    now: Timestamp,
    pages: BTreeMap<PageNumber, Row>,
    /// How many messages the reader has read before those that may be new, if that was counted just now.
    counted_before: Option<u32>,
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
            Read::UpTo(message) => match self.order_of(editing, message) {
                Some(order) => self.take_range(editing, order, &mut marked),
                None => marked.refused.push((message.clone(), Refusal::UnknownMessage)),
            },
            Read::UpToOrder(order) => self.take_range(editing, *order, &mut marked),
        }
        marked
    }

    /// Where a message stands that exists for who marks.
    fn order_of(&self, editing: &Editing<'_>, message: &MessageId) -> Option<Order> {
        let (place, page) = editing.find_on_page(message, self.now)?;
        let message = page.message(place.position)?;
        let concerns = |reader| message.sender == reader || page.asked(reader).contains(place.position);
        (self.by == Role::App || self.reader.is_some_and(concerns)).then_some(message.order)
    }

    fn take_one(&mut self, editing: &Editing<'_>, message: &MessageId, marked: &mut Marked) {
        let Some((place, page)) = editing.find_on_page(message, self.now) else {
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
            None => {
                let not_asked =
                    if self.by == Role::App { Refusal::NotInAudience } else { Refusal::UnknownMessage };
                marked.refused.push((message.clone(), not_asked));
            }
            Some(row) if row.read.contains(place.position) || row.new.contains(place.position) => {
                marked.already += 1;
            }
            Some(row) => {
                row.new.0 |= place.position.only().0;
                marked.marked += 1;
            }
        }
    }

    /// Looks closer only at what may be new. What was read before is counted once, and again when messages have gone.
    fn take_range(&mut self, editing: &Editing<'_>, order: Order, marked: &mut Marked) {
        let Some(reader) = self.reader else { return };
        let span = editing.span(reader);
        let known = editing.read_before(reader, order, self.now);
        marked.already += known.unwrap_or(0) as usize;
        let first = if known.is_some() { span.open } else { PageNumber(0) };
        let mut before = 0;
        for (number, outline) in editing.outlines(first) {
            if outline.order_first() > Some(order) {
                break;
            }
            let asked = outline.asked(reader);
            if asked.is_empty() {
                continue;
            }
            let range = Positions(self.range(editing, number, outline, order).0 & asked.0);
            let read = if number < span.open {
                asked
            } else if number >= span.end {
                Positions(0)
            } else {
                editing.look(number).map(|page| page.read_by(reader)).unwrap_or_default()
            };
            let already = Positions(read.0 & range.0).len();
            marked.already += already;
            before += if number < span.open { already } else { 0 };
            let new = Positions(range.0 & !read.0);
            if !new.is_empty() {
                marked.marked += new.len();
                self.pages.insert(number, Row { asked, read, new });
            }
        }
        if known.is_none() && editing.is_whole_before(span.open, order, self.now) {
            self.counted_before = u32::try_from(before).ok();
        }
    }

    /// The live messages of a page up to `order`.
    fn range(&self, editing: &Editing<'_>, number: PageNumber, outline: &Outline, order: Order) -> Positions {
        if let (Some(up_to), Some(live)) = (outline.up_to(order), outline.live(self.now)) {
            return Positions(up_to.0 & live.0);
        }
        let page = editing.look(number);
        page.map(|page| Positions(page.up_to(order).0 & page.live(self.now).0)).unwrap_or_default()
    }

    fn record(self, editing: &mut Editing<'_>) {
        let Some(reader) = self.reader else { return };
        if let Some(before) = self.counted_before {
            editing.counted_before(reader, before);
        }
        let rows = self.pages.into_iter().filter(|(_, row)| !row.new.is_empty());
        let read: Vec<_> = rows.map(|(number, row)| (number.0, row.new.0)).collect();
        if !read.is_empty() {
            editing.record(Record::Marked { conversation: editing.key(), reader: reader.0, read });
            editing.advance(reader);
        }
    }
}
