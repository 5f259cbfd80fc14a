//! Recovery: from what is on disk to a store that can commit.
//!
//! The base gives each object as some checkpoint left it; the journal's records are then applied on top, each
//! object skipping those it has. At the end the state is that of the last answered write, or of a write that was
//! on its way when the process died.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, TryLockError},
    io::{self, Write},
    path::Path,
    thread::sleep,
    time::Duration,
};

use super::{
    OpenError,
    base::Base,
    commit::Tracker,
    conversation::{Conversation, Key, PageNumber, apply},
    hot::Hot,
    journal::{self, Journal, sync_directory},
    object::{Kind, Object},
    record::{FORMAT, Record},
    stored::{read_head, read_page, read_slots},
};
use crate::domain::ConversationId;

const LOCK: &str = "LOCK";
const FORMAT_FILE: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
const JOURNAL: &str = "journal";
const BASE: &str = "base";

/// A store that was recovered, in its parts.
pub(super) struct Recovered {
    pub(super) lock: File,
    pub(super) base: Base,
    pub(super) journal: Journal,
    pub(super) hot: Hot,
    pub(super) tracker: Tracker,
    pub(super) next_sequence: u64,
}

/// Opens the data directory, and makes one where there is none.
pub(super) fn recover(path: &Path) -> Result<Recovered, OpenError> {
    create_directory(path).map_err(OpenError::at(path))?;
    let is_fresh = check_format(path)?;
    let lock = lock(path)?;
    if is_fresh {
        write_format(path).map_err(OpenError::at(path))?;
    }
    std::fs::create_dir_all(path.join(JOURNAL)).map_err(OpenError::at(path))?;
    sync_directory(path).map_err(OpenError::at(path))?;

    let mut found = Found::default();
    let (base_path, journal_path) = (path.join(BASE), path.join(JOURNAL));
    let (base, covered) = Base::open(&base_path, &mut |object, bytes| found.object(object, bytes))?;
    let replayed = journal::replay(&journal_path, |sequence, record| found.replay(sequence, record))?;
    let next_sequence = replayed.next_sequence;
    // sled opens without what it cannot read, so that an old state of it is far likelier than a lost segment.
    let base_file = base_path.join("db");
    match covered {
        None if replayed.first_sequence > 1 => {
            return Err(OpenError::damaged(
                &base_file,
                0,
                "it is empty, and the journal does not begin at 1",
            ));
        }
        Some(covered) if replayed.first_sequence > covered => {
            let what =
                "it ends before the journal begins: it has lost its end, or the journal its first file";
            return Err(OpenError::damaged(&base_file, 0, what));
        }
        Some(covered) if covered > next_sequence || found.sequence_highest >= next_sequence => {
            return Err(OpenError::damaged(&journal_path, 0, "it ends before records that the base has"));
        }
        _ => {}
    }
    let (hot, tracker) = found.finish().map_err(|what| OpenError::damaged(&base_file, 0, what))?;
    let journal = Journal::begin(&journal_path, replayed.segments, next_sequence)
        .map_err(OpenError::at(&journal_path))?;
    Ok(Recovered { lock, base, journal, hot, tracker, next_sequence })
}

/// Makes the directory and those above it, so that their names survive a power cut.
fn create_directory(path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut above = Some(path);
    while let Some(directory) = above.filter(|directory| !directory.exists()) {
        missing.push(directory);
        above = directory
            .parent()
            .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    }
    std::fs::create_dir_all(path)?;
    for directory in missing.into_iter().chain(above) {
        sync_directory(directory)?;
    }
    Ok(())
}

/// How long a lock may outlive its process: until the last copy of its descriptor is closed, which a child may have.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

fn lock(path: &Path) -> Result<File, OpenError> {
    let lock = path.join(LOCK);
    let file =
        File::options().create(true).truncate(false).write(true).open(&lock).map_err(OpenError::at(&lock))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(OpenError::at(&lock)(error)),
        }
    }
    Err(OpenError::Locked { path: path.to_owned() })
}

/// Refuses a directory that is somebody else's, or of a newer version, and says whether it is fresh.
fn check_format(path: &Path) -> Result<bool, OpenError> {
    let format = path.join(FORMAT_FILE);
    match std::fs::read_to_string(&format) {
        Ok(text) => {
            let version = text.trim().strip_prefix("seenby ").and_then(|version| version.parse::<u32>().ok());
            match version {
                Some(version) if version == u32::from(FORMAT) => Ok(false),
                Some(newer) if newer > u32::from(FORMAT) => {
                    Err(OpenError::Newer { path: format, format: newer })
                }
                _ => Err(OpenError::damaged(&format, 0, "it does not name a format of seenby")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut names = std::fs::read_dir(path).map_err(OpenError::at(path))?;
            // A file system that is mounted there brings one of its own.
            let is_ours = |name: &std::ffi::OsStr| name == LOCK || name == FORMAT_NEW || name == "lost+found";
            if names.any(|entry| entry.is_ok_and(|entry| !is_ours(&entry.file_name()))) {
                return Err(OpenError::NotOurs { path: path.to_owned() });
            }
            Ok(true)
        }
        Err(error) => Err(OpenError::at(&format)(error)),
    }
}

fn write_format(path: &Path) -> io::Result<()> {
    let mut file = File::create(path.join(FORMAT_NEW))?;
    writeln!(file, "seenby {FORMAT}")?;
    file.sync_all()?;
    std::fs::rename(path.join(FORMAT_NEW), path.join(FORMAT_FILE))?;
    sync_directory(path)
}

/// What was found so far.
#[derive(Default)]
struct Found {
    conversations: HashMap<Key, (ConversationId, Conversation)>,
    /// Slots that each head knew of: if the names of some are missing at the end, the base is damaged.
    slots_known: HashMap<Key, u32>,
    /// What does not fit together, of conversations that may yet have ended.
    broken: HashMap<Key, &'static str>,
    tracker: Tracker,
    sequence_highest: u64,
}

impl Found {
    fn saw(&mut self, sequence: u64) {
        self.sequence_highest = self.sequence_highest.max(sequence);
    }

    /// Takes an object of the base. Heads come first, then slots, then pages.
    fn object(&mut self, object: Object, bytes: &[u8]) -> Result<(), &'static str> {
        let key = object.conversation;
        self.saw(key.0);
        if object.kind == Kind::Head {
            let (id, conversation, slots) = read_head(key, bytes)?;
            self.saw(conversation.head.sequence);
            self.slots_known.insert(key, slots);
            self.conversations.insert(key, (id, conversation));
            return Ok(());
        }
        // No sealed checkpoint leaves an object without its head; what has none is nobody's.
        let Some((_, conversation)) = self.conversations.get_mut(&key) else { return Ok(()) };
        if object.kind == Kind::Slots {
            return read_slots(conversation, object.number, bytes);
        }
        read_page(conversation, object.number, bytes)?;
        let sequence = conversation.pages[&PageNumber(object.number)].sequence;
        self.saw(sequence);
        Ok(())
    }

    /// Takes a record of the journal.
    fn replay(&mut self, sequence: u64, record: Record) -> Result<(), &'static str> {
        let key = match &record {
            Record::Began { id } => return self.begin(Key(sequence), id),
            Record::Ended { conversation } => {
                self.conversations.remove(&Key(*conversation));
                self.broken.remove(&Key(*conversation));
                self.tracker.dirty.ended(Key(*conversation));
                return Ok(());
            }
            Record::Slots { conversation, .. }
            | Record::Roster { conversation, .. }
            | Record::Registered { conversation, .. }
            | Record::Marked { conversation, .. }
            | Record::Reset { conversation, .. }
            | Record::Forgotten { conversation, .. } => Key(*conversation),
        };
        // A conversation that is not there has ended, and a checkpoint had that.
        let Some((id, conversation)) = self.conversations.get_mut(&key) else { return Ok(()) };
        match &record {
            Record::Began { .. } | Record::Ended { .. } => {}
            Record::Slots { first, .. } => self.tracker.dirty.slots(key, id, *first),
            Record::Roster { .. } => self.tracker.dirty.head(key, id),
            Record::Registered { page, .. } => {
                self.tracker.dirty.head(key, id);
                self.tracker.dirty.page(key, id, PageNumber(*page));
            }
            Record::Marked { read, .. } => {
                for (page, _) in read {
                    self.tracker.dirty.page(key, id, PageNumber(*page));
                }
            }
            Record::Reset { page, .. } | Record::Forgotten { page, .. } => {
                self.tracker.dirty.page(key, id, PageNumber(*page));
            }
        }
        // While a checkpoint ran, the conversation may have ended before it was written, and the records that it
        // would have needed are gone: then its end is still to come.
        if let Err(what) = apply(conversation, sequence, record) {
            self.broken.insert(key, what);
        }
        Ok(())
    }

    fn begin(&mut self, key: Key, id: &str) -> Result<(), &'static str> {
        let id = ConversationId::new(id).map_err(|_| "a conversation's name is no id")?;
        self.tracker.dirty.head(key, &id);
        self.conversations.entry(key).or_insert_with(|| (id, Conversation::new(key)));
        Ok(())
    }

    /// Checks that all fits together, and puts it where reads find it.
    fn finish(self) -> Result<(Hot, Tracker), &'static str> {
        let Self { conversations, slots_known, broken, mut tracker, .. } = self;
        if let Some(what) = broken.into_values().next() {
            return Err(what);
        }
        let hot = Hot::new();
        let mut by_id: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
        for (key, (id, mut conversation)) in conversations {
            let slots = slots_known.get(&key).copied().unwrap_or(0);
            if conversation.slots.len() < slots as usize {
                return Err("names of slots are missing");
            }
            conversation.pages.retain(|number, page| {
                let is_kept = !page.page.is_empty();
                if !is_kept {
                    tracker.dirty.page(key, &id, *number);
                }
                is_kept
            });
            conversation.rebuild_index();
            for (number, page) in &conversation.pages {
                if let Some(end) = page.page.expires_first() {
                    tracker.ends_at(end, key, *number, id.clone());
                }
            }
            if by_id.insert(id, conversation).is_some() {
                return Err("two conversations have one name");
            }
        }
        for (id, conversation) in by_id {
            hot.insert(id, conversation);
        }
        Ok((hot, tracker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(first: u32, user: &str) -> Record {
        Record::Slots { conversation: 1, first, users: vec![user.to_owned()] }
    }

    /// What is left of a conversation that a checkpoint passed over, since it had ended meanwhile: the records of its
    /// first slots went with the older segment, those of its last ones and its end have not.
    fn with_a_gap() -> Found {
        let mut found = Found::default();
        found.replay(1, Record::Began { id: "c".to_owned() }).unwrap();
        found.replay(2, slots(0, "alice")).unwrap();
        found.replay(9, slots(2, "carol")).unwrap();
        found
    }

    #[test]
    fn what_does_not_fit_counts_for_nothing_once_its_conversation_has_ended() {
        let mut found = with_a_gap();
        found.replay(10, Record::Ended { conversation: 1 }).unwrap();
        found.replay(11, Record::Began { id: "c".to_owned() }).unwrap();
        let (hot, _) = found.finish().unwrap();
        assert_eq!(hot.conversations(), 1, "the one that began under the same id");
    }

    #[test]
    fn what_does_not_fit_in_a_conversation_that_goes_on_is_damage() {
        assert_eq!(with_a_gap().finish().err(), Some("slots are missing before it"));
    }
}
