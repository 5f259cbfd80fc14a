//! Small files of the process's own in the data directory: replaced as a whole, and on disk when that is done.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Makes `bytes` all that is in the file `name` of the directory `data`, for this user alone. A crash leaves what there was
/// before, or this.
pub(super) fn replace(data: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = data.join(format!("{name}.new"));
    // One that a crash left has whatever mode it was made with.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, data.join(name))?;
    fs::File::open(data)?.sync_all()
}
