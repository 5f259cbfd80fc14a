//! A directory as one text: small however large its files, as long as they are mostly zeros, and to be read by people.
//!
//! ```text
//! directory base/blobs
//! file FORMAT 9
//! 0 7365656e6279 …
//! ```
//!
//! Each file with its length; then rows of its bytes in hexadecimal, behind their place, and without those that are
//! zeros alone.

use std::{fmt::Write as _, fs, path::Path};

const ROW_BYTES: usize = 48;

/// Writes all that is below `directory` to the file `image`.
pub(super) fn write_image(directory: &Path, image: &Path) {
    let mut text = String::new();
    add(directory, "", &mut text);
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::write(image, text).unwrap();
}

fn add(directory: &Path, above: &str, text: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{above}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            writeln!(text, "directory {name}").unwrap();
            add(&entry.path(), &format!("{name}/"), text);
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        writeln!(text, "file {name} {}", bytes.len()).unwrap();
        for (row, bytes) in
            bytes.chunks(ROW_BYTES).enumerate().filter(|(_, row)| row.iter().any(|&it| it != 0))
        {
            write!(text, "{} ", row * ROW_BYTES).unwrap();
            bytes.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            text.push('\n');
        }
    }
}

/// Makes in `directory` what `image` has.
pub(super) fn read_image(image: &Path, directory: &Path) {
    let text = fs::read_to_string(image).unwrap();
    let mut file: Option<(&str, Vec<u8>)> = None;
    let save = |file: Option<(&str, Vec<u8>)>| {
        if let Some((name, bytes)) = file {
            fs::write(directory.join(name), bytes).unwrap();
        }
    };
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["directory", name] => fs::create_dir(directory.join(name)).unwrap(),
            ["file", name, length] => {
                save(file.take());
                file = Some((name, vec![0; length.parse().unwrap()]));
            }
            [place, hexadecimal] => {
                let (_, bytes) = file.as_mut().expect("a row is in a file");
                let place: usize = place.parse().unwrap();
                for (at, digits) in hexadecimal.as_bytes().chunks(2).enumerate() {
                    let digits = std::str::from_utf8(digits).unwrap();
                    bytes[place + at] = u8::from_str_radix(digits, 16).unwrap();
                }
            }
            _ => panic!("{line:?} is no line of an image"),
        }
    }
    save(file);
}

#[test]
fn a_directory_is_read_back_as_it_was() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(from.path().join("a/empty")).unwrap();
    let mut sparse = vec![0; 100_000];
    sparse[70_000] = 7;
    for (name, bytes) in [("a/b", &b"xyz"[..]), ("none", b""), ("zeros", &[0; 99]), ("sparse", &sparse)] {
        fs::write(from.path().join(name), bytes).unwrap();
    }
    let image = to.path().join("image.txt");
    write_image(from.path(), &image);
    assert!(fs::metadata(&image).unwrap().len() < 400);
    let back = to.path().join("back");
    fs::create_dir(&back).unwrap();
    read_image(&image, &back);
    assert_eq!(super::files(&back), super::files(from.path()));
    assert!(back.join("a/empty").is_dir());
}
