//! Cells: what a conversation keeps of each page, whether or not the page itself is in memory.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::domain::Outline;
use crate::store::embedded::{
    hot::conversation::{HotPage, PageNumber},
    pages::Extent,
};

/// A page's place in memory.
#[derive(Debug)]
pub(in crate::store::embedded) struct Cell {
    pub(in crate::store::embedded) number: PageNumber,
    pub(in crate::store::embedded) outline: Outline,
    /// The last record that changed it.
    pub(in crate::store::embedded) sequence: u64,
    /// The page; none if it is *cold*: then it is where `extent` says.
    page: Option<Arc<HotPage>>,
    /// Where the last checkpoint put it; none before the first.
    extent: Option<Extent>,
    /// Whether what stands there is the page as it is. One that is *dirty* stays in memory.
    is_clean: bool,
    /// Rises with each change, for a checkpoint to see whether it wrote the last one.
    stamp: u32,
    /// Memory that the page takes.
    bytes: u32,
    /// Whether it was looked at since the last search for pages to drop.
    used: AtomicBool,
}

impl Cell {
    pub(in crate::store::embedded) fn new(number: PageNumber, page: HotPage) -> Self {
        let mut cell = Self {
            number,
            outline: Outline::default(),
            sequence: 0,
            page: None,
            extent: None,
            is_clean: false,
            stamp: 0,
            bytes: 0,
            used: AtomicBool::new(true),
        };
        cell.change(page);
        cell
    }

    /// One whose page was found at `extent`, and is left there.
    pub(in crate::store::embedded) fn cold(number: PageNumber, page: &HotPage, extent: Extent) -> Self {
        Self {
            number,
            outline: page.page.outline().clone(),
            sequence: page.sequence,
            page: None,
            extent: Some(extent),
            is_clean: true,
            stamp: 0,
            bytes: 0,
            used: AtomicBool::new(false),
        }
    }

    /// The page, if it is in memory.
    pub(in crate::store::embedded) fn page(&self) -> Option<&Arc<HotPage>> {
        // Written once only: readers on many processors would take the line from each other.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        self.page.as_ref()
    }

    pub(in crate::store::embedded) fn extent(&self) -> Option<Extent> {
        self.extent
    }

    pub(in crate::store::embedded) fn is_cold(&self) -> bool {
        self.page.is_none()
    }

    pub(in crate::store::embedded) fn is_clean(&self) -> bool {
        self.is_clean
    }

    pub(in crate::store::embedded) fn stamp(&self) -> u32 {
        self.stamp
    }

    /// Memory that the page takes; none while it is cold.
    pub(in crate::store::embedded) fn bytes(&self) -> u64 {
        u64::from(self.bytes)
    }

    /// Memory that may not be dropped.
    pub(in crate::store::embedded) fn dirty_bytes(&self) -> u64 {
        if self.is_clean { 0 } else { self.bytes() }
    }

    /// The page is another from now on.
    pub(in crate::store::embedded) fn change(&mut self, page: HotPage) {
        self.describe(&page);
        self.hold(Arc::new(page));
        self.is_clean = false;
        self.stamp = self.stamp.wrapping_add(1);
    }

    /// For changes in place, which [`Cell::changed`] ends. None while it is cold.
    pub(in crate::store::embedded) fn page_mut(&mut self) -> Option<&mut HotPage> {
        self.is_clean = false;
        self.page.as_mut().map(Arc::make_mut)
    }

    /// Brings up to date what is known of a page that was changed in place.
    pub(in crate::store::embedded) fn changed(&mut self) {
        if let Some(page) = self.page.take() {
            self.describe(&page);
            self.hold(page);
        }
    }

    fn describe(&mut self, page: &HotPage) {
        self.outline = page.page.outline().clone();
        self.sequence = page.sequence;
    }

    fn hold(&mut self, page: Arc<HotPage>) {
        self.bytes = u32::try_from(page.page.bytes()).unwrap_or(u32::MAX);
        self.page = Some(page);
        self.used = AtomicBool::new(true);
    }

    /// Takes the page that was read at `extent`, if it is still missing there.
    pub(in crate::store::embedded) fn warm(&mut self, extent: Extent, page: Arc<HotPage>) {
        if self.page.is_none() && self.extent == Some(extent) {
            self.hold(page);
        }
    }

    /// A checkpoint has put the change `stamp` of it to `extent`, and made `packed` of it.
    pub(in crate::store::embedded) fn settle(
        &mut self,
        stamp: u32,
        extent: Extent,
        packed: Option<Arc<HotPage>>,
    ) {
        self.extent = Some(extent);
        self.is_clean = self.stamp == stamp;
        if self.is_clean
            && let Some(packed) = packed
        {
            self.hold(packed);
        }
    }

    /// The same bytes stand at another place now.
    pub(in crate::store::embedded) fn moved(&mut self, from: Extent, to: Extent) {
        if self.extent == Some(from) {
            self.extent = Some(to);
        }
    }

    /// Drops the page, if that can be and it was not looked at since the last time. Says how many bytes that gave.
    pub(in crate::store::embedded) fn cool(&mut self) -> u64 {
        if !self.is_clean || std::mem::take(self.used.get_mut()) {
            return 0;
        }
        self.page = None;
        u64::from(std::mem::take(&mut self.bytes))
    }
}

/// The cells of a conversation, by number. Pages come at the end and mostly go at the beginning.
#[derive(Debug, Default)]
pub(in crate::store::embedded) struct Cells(VecDeque<Cell>);

impl Cells {
    fn at(&self, number: PageNumber) -> Result<usize, usize> {
        // Numbers have few gaps, so the place is most often where it would be without any.
        let first = self.0.front().map_or(0, |cell| cell.number.0);
        let guess = number.0.wrapping_sub(first) as usize;
        match self.0.get(guess) {
            Some(cell) if cell.number == number => Ok(guess),
            _ => self.0.binary_search_by_key(&number, |cell| cell.number),
        }
    }

    pub(in crate::store::embedded) fn get(&self, number: PageNumber) -> Option<&Cell> {
        self.at(number).ok().map(|at| &self.0[at])
    }

    pub(in crate::store::embedded) fn get_mut(&mut self, number: PageNumber) -> Option<&mut Cell> {
        self.at(number).ok().map(|at| &mut self.0[at])
    }

    /// Puts a cell in that is not there yet.
    pub(in crate::store::embedded) fn insert(&mut self, cell: Cell) {
        if let Err(at) = self.at(cell.number) {
            if self.0.is_empty() {
                // Most conversations of a store with many of them have a page or two.
                self.0.reserve_exact(1);
            }
            self.0.insert(at, cell);
        }
    }

    pub(in crate::store::embedded) fn remove(&mut self, number: PageNumber) -> Option<Cell> {
        self.0.remove(self.at(number).ok()?)
    }

    /// The cells in order.
    pub(in crate::store::embedded) fn iter(&self) -> impl DoubleEndedIterator<Item = &Cell> {
        self.0.iter()
    }

    /// The cells from `number` on, in order.
    pub(in crate::store::embedded) fn from(&self, number: PageNumber) -> impl Iterator<Item = &Cell> {
        self.0.range(self.at(number).unwrap_or_else(|at| at)..)
    }

    /// The cells in order, to be changed.
    pub(in crate::store::embedded) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cell> {
        self.0.iter_mut()
    }

    pub(in crate::store::embedded) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ExpiresAt, Generation, Message, MessageId, Order, Position, Positions, Slot, SlotSet,
    };

    #[test]
    fn a_page_takes_less_memory_once_it_is_on_disk() {
        let mut hot = HotPage::default();
        let message = Message {
            id: MessageId::new("m").unwrap(),
            sender: Slot(0),
            order_asked: false,
            order: Order(1),
            audience_asked: false,
            expires_in_s: None,
            expires_at: ExpiresAt { unix_s: 9 },
            generation: Generation(1),
        };
        hot.page.put(Position(0), &message, Arc::new((0..2_000).map(Slot).collect::<SlotSet>()));
        (1..2_000).for_each(|slot| _ = hot.page.mark(Slot(slot), Positions(1)));
        let mut cell = Cell::new(PageNumber(0), hot);
        let (before, extent) = (cell.bytes(), Extent { file: 1, offset: 16, length: 99 });
        let mut packed = cell.page().unwrap().as_ref().clone();
        packed.page.pack();
        let packed = Some(Arc::new(packed));
        cell.settle(cell.stamp().wrapping_sub(1), extent, packed.clone());
        assert_eq!((cell.is_clean(), cell.bytes()), (false, before), "it has changed since");
        cell.settle(cell.stamp(), extent, packed);
        assert!(cell.is_clean() && cell.bytes() * 4 < before, "{before} bytes and then {}", cell.bytes());
        let read = cell.page().map(|hot| hot.page.rows().count());
        assert_eq!(read, Some(1_999));
    }
}
