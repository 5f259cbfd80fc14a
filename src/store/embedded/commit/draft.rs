//! Drafts: what a commit has decided and not yet made durable.
//!
//! The commit thread never changes what others read. It copies the pages it changes into a draft, decides on the
//! draft, and publishes it once the journal has its records. If the journal fails, the draft is dropped, and
//! nobody has ever seen it. Copies are cheap: pages share what a change leaves alone.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use crate::domain::{ConversationId, MessageId, Slot, SlotSet, UserId};
use crate::store::embedded::{
    commit::editing::Editing,
    commit::fetched::Fetched,
    hot::Hot,
    hot::conversation::{Conversation, Head, HotPage, Key, PageNumber, Place},
    hot::index::Hint,
    hot::keyed::ById,
    hot::span::Span,
    journal::Frame,
    record::Record,
    watchdog::Work,
};

/// A commit takes no more writes once it has so many bytes of journal.
const COMMIT_BYTES: usize = 1 << 20;

/// Nor once it had to read so many pages from disk.
const COMMIT_FETCHED: usize = 512;

/// The changes of one commit, over all conversations.
pub(in crate::store::embedded) struct Batch<'a> {
    hot: &'a Hot,
    frame: Frame,
    drafts: ById<ConversationId, ConversationDraft>,
    /// Users who are hidden from now on, or shown again.
    hidden: ById<UserId, bool>,
    erases: bool,
    fetched: Fetched<'a>,
    work: &'a Work,
}

/// What a commit decided.
pub(in crate::store::embedded) struct Decided {
    pub(in crate::store::embedded) frame: Frame,
    pub(in crate::store::embedded) drafts: ById<ConversationId, ConversationDraft>,
    pub(in crate::store::embedded) hidden: ById<UserId, bool>,
    /// Whether a name must leave the disk.
    pub(in crate::store::embedded) erases: bool,
}

/// What a commit does to what stands under one id.
#[derive(Debug, Default)]
pub(in crate::store::embedded) struct ConversationDraft {
    /// The published conversation that is forgotten, if one is.
    pub(in crate::store::embedded) ended: Option<Key>,
    /// The conversation as it is to be; none if there is none (any more).
    pub(in crate::store::embedded) draft: Option<Draft>,
}

impl ConversationDraft {
    /// Whether it may have changed anybody's receipts: a mark that was made before, or is not kept, has not.
    pub(in crate::store::embedded) fn may_show(&self) -> bool {
        let touches = |draft: &Draft| !draft.pages.is_empty() || !draft.unnamed.is_empty();
        self.ended.is_some() || self.draft.as_ref().is_some_and(touches)
    }
}

/// The changes to one conversation.
#[derive(Debug)]
pub(in crate::store::embedded) struct Draft {
    pub(in crate::store::embedded) key: Key,
    /// Whether it begins with this commit. Else it changes a published one.
    pub(in crate::store::embedded) is_new: bool,
    pub(in crate::store::embedded) head: Head,
    /// Users who get slots, behind those that are published.
    pub(in crate::store::embedded) users: Vec<UserId>,
    pub(in crate::store::embedded) slots: ById<UserId, Slot>,
    pub(in crate::store::embedded) slots_published: u32,
    /// Slots that stand for nobody any more.
    pub(in crate::store::embedded) unnamed: SlotSet,
    /// Pages that change; none for those that go.
    pub(in crate::store::embedded) pages: BTreeMap<PageNumber, Option<HotPage>>,
    /// Ids that get another place; none for those that go.
    pub(in crate::store::embedded) index: ById<MessageId, Option<Place>>,
    /// The same as the index takes it: what stands where, or not any more, in this order.
    pub(in crate::store::embedded) places: Vec<(Hint, Place, bool)>,
    /// Readers who are somewhere else than before.
    pub(in crate::store::embedded) spans: HashMap<Slot, Span>,
    /// Whether messages go.
    pub(in crate::store::embedded) loses: bool,
    /// The first page on which a message is unread again.
    pub(in crate::store::embedded) reopened: Option<PageNumber>,
}

impl Draft {
    fn new(key: Key) -> Self {
        Self::over(&Conversation::new(key), true)
    }

    fn over(published: &Conversation, is_new: bool) -> Self {
        Self {
            key: published.key,
            is_new,
            head: published.head.clone(),
            users: Vec::new(),
            slots: ById::default(),
            slots_published: published.names.len(),
            unnamed: SlotSet::default(),
            pages: BTreeMap::new(),
            index: ById::default(),
            places: Vec::new(),
            spans: HashMap::new(),
            loses: false,
            reopened: None,
        }
    }
}

impl<'a> Batch<'a> {
    /// An empty batch, whose first record will have the number `sequence`. What it reads from disk is progress of `work`.
    pub(in crate::store::embedded) fn new(hot: &'a Hot, sequence: u64, work: &'a Work) -> Self {
        Self {
            hot,
            frame: Frame::new(sequence),
            drafts: ById::default(),
            hidden: ById::default(),
            erases: false,
            fetched: Fetched::new(hot, work),
            work,
        }
    }

    /// Whether it should take no more writes: what it holds must not outgrow memory.
    pub(in crate::store::embedded) fn is_full(&self) -> bool {
        self.frame.len() >= COMMIT_BYTES || self.fetched.len() >= COMMIT_FETCHED
    }

    /// What was decided; an error if a page that was needed could not be read.
    pub(in crate::store::embedded) fn finish(self) -> io::Result<Decided> {
        if let Some(error) = self.fetched.take_failure() {
            return Err(error);
        }
        let Self { frame, drafts, hidden, erases, .. } = self;
        Ok(Decided { frame, drafts, hidden, erases })
    }

    /// Whether the user's receipts are off, as far as is decided.
    pub(in crate::store::embedded) fn is_hidden(&self, user: &UserId) -> bool {
        self.hidden.get(user).copied().unwrap_or_else(|| self.hot.is_hidden(user))
    }

    /// Hides the user everywhere, or shows them again.
    pub(in crate::store::embedded) fn hide(&mut self, user: &UserId, is_hidden: bool) {
        if self.is_hidden(user) != is_hidden {
            self.frame.push(&Record::Hidden { user: user.as_str().to_owned(), is_hidden });
            self.hidden.insert(user.clone(), is_hidden);
        }
    }

    /// Has the name of a user who was deleted leave the disk.
    pub(in crate::store::embedded) fn erase(&mut self) {
        self.frame.push(&Record::Erased);
        self.erases = true;
    }

    /// All conversations that know the user, those among them that this commit began.
    pub(in crate::store::embedded) fn knowing(&self, user: &UserId) -> Vec<ConversationId> {
        let mut ids = self.hot.knowing(user);
        let drafts = self.drafts.iter().filter_map(|(id, known)| Some((id, known.draft.as_ref()?)));
        let drafted = drafts.filter(|(_, draft)| draft.slots.contains_key(user)).map(|(id, _)| id.clone());
        ids.extend(drafted);
        ids
    }

    /// A step of what takes long is done.
    pub(in crate::store::embedded) fn step(&self) {
        self.work.step();
    }

    /// Edits the conversation under `id`; none if there is none.
    pub(in crate::store::embedded) fn edit<T>(
        &mut self,
        id: &ConversationId,
        edit: impl FnOnce(&mut Editing<'_>) -> T,
    ) -> Option<T> {
        self.hot.with(id, |published| {
            if !self.drafts.contains_key(id) {
                let draft = Draft::over(published?, false);
                self.drafts.insert(id.clone(), ConversationDraft { ended: None, draft: Some(draft) });
            }
            let draft = self.drafts.get_mut(id)?.draft.as_mut()?;
            let published = published.filter(|_| !draft.is_new);
            Some(edit(&mut Editing { published, draft, frame: &mut self.frame, fetched: &self.fetched }))
        })
    }

    /// Edits the conversation under `id`, which begins now if there is none.
    pub(in crate::store::embedded) fn edit_or_begin<T>(
        &mut self,
        id: &ConversationId,
        edit: impl FnOnce(&mut Editing<'_>) -> T,
    ) -> T {
        let is_there = match self.drafts.get(id) {
            Some(known) => known.draft.is_some(),
            None => self.hot.with(id, |published| published.is_some()),
        };
        if !is_there {
            let key = Key(self.frame.push(&Record::Began { id: id.as_str().to_owned() }));
            self.drafts.entry(id.clone()).or_default().draft = Some(Draft::new(key));
        }
        self.edit(id, edit).expect("invariant: it is there now")
    }

    /// Ends the conversation under `id`, if there is one.
    pub(in crate::store::embedded) fn end(&mut self, id: &ConversationId) {
        let published = self.hot.with(id, |published| published.map(|published| published.key));
        let key = match self.drafts.get(id) {
            Some(known) => known.draft.as_ref().map(|draft| draft.key),
            None => published,
        };
        if let Some(Key(conversation)) = key {
            self.frame.push(&Record::Ended { conversation });
            let known = self.drafts.entry(id.clone()).or_default();
            known.draft = None;
            known.ended = published;
        }
    }
}
