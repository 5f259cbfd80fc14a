//! Where the base is at home: `base.1`, `base.2`, …, the highest of which counts.
//!
//! sled changes its files while it opens them, and does not sync all that it changes: a power cut in its open can leave
//! files that it refuses. So it never opens the only copy. A start copies the home that counts, opens the copy, syncs
//! every file of it, and only then gives it the next number; until then the old one stands as it was. A base that is
//! mostly dead moves the same way, into a home that has only what lives.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::store::embedded::{OpenError, journal::sync_directory};

const PREFIX: &str = "base.";
const NEW: &str = "new";

/// One home of the base.
#[derive(Debug, Clone)]
pub(in crate::store::embedded) struct Home {
    data: PathBuf,
    number: u64,
}

impl Home {
    /// The home that counts in the data directory `data`; none if there is none yet.
    pub(in crate::store::embedded) fn newest(data: &Path) -> io::Result<Option<Self>> {
        let numbers = numbers(data)?;
        Ok(numbers.into_iter().max().map(|number| Self { data: data.to_owned(), number }))
    }

    /// The first home there will be.
    pub(in crate::store::embedded) fn first(data: &Path) -> Self {
        Self { data: data.to_owned(), number: 1 }
    }

    /// The one after this.
    pub(in crate::store::embedded) fn next(&self) -> Self {
        Self { data: self.data.clone(), number: self.number + 1 }
    }

    pub(in crate::store::embedded) fn path(&self) -> PathBuf {
        self.data.join(format!("{PREFIX}{}", self.number))
    }

    /// Where it is made, before it counts.
    pub(in crate::store::embedded) fn building(&self) -> PathBuf {
        self.data.join(format!("{PREFIX}{}.{NEW}", self.number))
    }

    /// Makes the place where it is made, empty.
    pub(in crate::store::embedded) fn begin(&self) -> io::Result<PathBuf> {
        let building = self.building();
        match fs::remove_dir_all(&building) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&building)?,
        }
        Ok(building)
    }

    /// Makes it with a copy of what is in `from`.
    pub(in crate::store::embedded) fn begin_as(&self, from: &Self) -> Result<PathBuf, OpenError> {
        let building = self.begin().map_err(OpenError::at(&self.building()))?;
        let from = from.path();
        for entry in fs::read_dir(&from).map_err(OpenError::at(&from))? {
            let entry = entry.map_err(OpenError::at(&from))?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            // A snapshot that sled had not finished stops its open; whole ones are needed: without them it may take
            // more of its log for a torn end than is torn.
            if is_file && !entry.file_name().to_string_lossy().ends_with(".generating") {
                let to = building.join(entry.file_name());
                fs::copy(entry.path(), &to).map_err(OpenError::at(&to))?;
            }
        }
        Ok(building)
    }

    /// Makes it the one that counts: all of it is durable before it has its name, and its name when this returns.
    pub(in crate::store::embedded) fn move_in(&self) -> io::Result<()> {
        let building = self.building();
        sync_all(&building)?;
        fs::rename(&building, self.path())?;
        sync_directory(&self.data)
    }

    /// Removes what was to become a home, so that a start that fails takes no room. The next one would do it too.
    pub(in crate::store::embedded) fn remove_unfinished(data: &Path) {
        if let Ok(newest) = Self::newest(data) {
            let building = newest.map_or_else(|| Self::first(data), |newest| newest.next()).building();
            let _ = fs::remove_dir_all(building);
        }
    }

    /// Removes all homes but this, and what was to be one.
    pub(in crate::store::embedded) fn remove_others(&self) -> io::Result<()> {
        for number in numbers(&self.data)?.into_iter().filter(|number| *number != self.number) {
            fs::remove_dir_all(Self { data: self.data.clone(), number }.path())?;
        }
        match fs::remove_dir_all(self.next().building()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_directory(&self.data)
    }
}

fn numbers(data: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(data)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u64>().ok()));
    }
    Ok(numbers)
}

/// Syncs every file in a directory, those in directories below, and the directories.
fn sync_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_directory(directory)
}
