//! Room ahead, and what is no segment. Records and damage are for the tests of the whole store.

use super::*;

fn of_one_record(directory: &Path) -> Journal {
    let mut journal = Journal::begin(directory, Vec::new(), 1).unwrap();
    let mut frame = Frame::new(1);
    frame.push(&Record::Ended { conversation: 1 });
    frame.seal();
    journal.append(&frame).unwrap();
    journal
}

#[test]
fn there_is_room_behind_the_frames_of_the_open_segment_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = of_one_record(directory.path());
    let (path, end) = journal.segments[0].clone();
    let length = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert_eq!(length(&path), end + ROOM_BYTES);
    journal.rotate(2).unwrap();
    assert_eq!(length(&path), end);
}

#[test]
fn a_file_that_is_no_segment_is_named_and_not_the_one_before_it() {
    let directory = tempfile::tempdir().unwrap();
    drop(of_one_record(directory.path()));
    let stray = directory.path().join("stray.journal");
    std::fs::write(&stray, "x").unwrap();
    let error = replay(directory.path(), |_, _| Ok(())).err().expect("it is no segment").to_string();
    assert!(error.contains(stray.to_str().unwrap()) && error.contains("its head"), "{error}");
    std::fs::remove_file(stray).unwrap();
    assert!(replay(directory.path(), |_, _| Ok(())).is_ok());
}
