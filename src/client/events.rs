//! Server-sent events, from the bytes that come in: the text format, and a limit on how long an event may be.
//!
//! Lines end in LF or CR LF. Comments keep a connection alive and say nothing; fields that nobody knows are passed over,
//! as the format wants it. What events mean is `stream`'s.

/// The longest event that is read: 100 messages, whose ids of 128 bytes may take 768 in JSON, take a tenth of that.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
    /// The last one that the server gave, with this event or before.
    pub(super) id: Option<String>,
}

/// Reads events as their bytes come in.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    /// What has come in and is not read, from `read` on.
    bytes: Vec<u8>,
    read: usize,
    name: String,
    data: Option<String>,
    id: Option<String>,
}

impl EventReader {
    /// Takes what has come in.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event that has come in whole; or why what came in is none.
    pub(super) fn next(&mut self) -> Result<Option<Event>, String> {
        while let Some(length) = self.bytes[self.read..].iter().position(|&byte| byte == b'\n') {
            let line = &self.bytes[self.read..self.read + length];
            let line = str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line));
            let line = line.map_err(|_| "an event is not UTF-8")?.to_owned();
            self.read += length + 1;
            if let Some(event) = self.line(&line) {
                return Ok(Some(event));
            }
        }
        let held = self.bytes.len() - self.read + self.data.as_ref().map_or(0, String::len);
        if held > EVENT_BYTES_MAX { Err("an event is too long".to_owned()) } else { Ok(None) }
    }

    /// Takes a line; an empty one ends an event. One without data is none.
    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            return self.data.take().map(|data| Event { name, data, id: self.id.clone() });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event { name: name.to_owned(), data: data.to_owned(), id: id.map(str::to_owned) }
    }

    /// All events of `text` when it comes in parts of so many bytes.
    fn read(text: &str, part: usize) -> Vec<Event> {
        let (mut reader, mut events) = (EventReader::default(), Vec::new());
        for bytes in text.as_bytes().chunks(part) {
            reader.take(bytes);
            while let Some(event) = reader.next().unwrap() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_read_however_their_bytes_come_in() {
        let text =
            ": hello\n\nevent: receipts\nid: a\ndata: {\"ü\":1}\n\n:\nevent:end\r\nid:a.end\r\ndata:\r\n\r\n";
        let expected = [event("receipts", "{\"ü\":1}", Some("a")), event("end", "", Some("a.end"))];
        for part in [1, 2, 3, 7, text.len()] {
            assert_eq!(read(text, part), expected, "{part}");
        }
    }

    #[test]
    fn lines_of_data_are_joined_and_an_id_stays() {
        let text = "id: a\ndata: x\ndata:  y\n\ndata: z\nretry: 5\nmore\n\n";
        assert_eq!(read(text, 4), [event("", "x\n y", Some("a")), event("", "z", Some("a"))]);
    }

    #[test]
    fn what_has_no_data_or_no_end_is_no_event() {
        assert_eq!(read("event: receipts\nid: b\n\nevent: receipts\ndata: cut\n", 5), []);
        assert_eq!(read("event: receipts\n\ndata: x\n\n", 5), [event("", "x", None)], "a name does not stay");
    }

    #[test]
    fn what_is_not_text_or_has_no_end_in_sight_is_refused() {
        let mut reader = EventReader::default();
        reader.take(b"data: \xff\n");
        assert!(reader.next().is_err());
        let mut reader = EventReader::default();
        reader.take(&vec![b'x'; EVENT_BYTES_MAX]);
        assert_eq!(reader.next(), Ok(None));
        reader.take(b"x");
        assert!(reader.next().is_err());
        let mut reader = EventReader::default();
        for _ in 0..2_000 {
            reader.take(format!("data: {}\n", "x".repeat(1_000)).as_bytes());
            if reader.next().is_err() {
                return;
            }
        }
        panic!("an event of many lines grows without end");
    }
}
