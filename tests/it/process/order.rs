//! In which order the server calls the system: a mark is written, synced, and only then answered.

use super::calls::{check, read};

/// A trace of three marks, as strace writes it. The first two share a commit; the calls of the third are split, and
/// `third` are its sync and its answer.
fn trace(third: &str) -> String {
    let hexadecimal =
        |text: &[u8]| text.iter().fold(String::new(), |text, byte| text + &format!("\\x{byte:02x}"));
    let journal = hexadecimal(b"/d/journal/1.journal");
    let frame = |slots: &[u8]| {
        hexadecimal(&slots.iter().flat_map(|slot| super::calls::record(*slot)).collect::<Vec<_>>())
    };
    let socket = |n: u8| hexadecimal(format!("socket:[{n}]").as_bytes());
    let head = hexadecimal(b"HTTP/1.1 200 OK\r\n\r\n");
    let body = |n: u8| {
        let refused = format!(r#"[{{"message":"r{n}","code":"unknown-message"}}]"#);
        hexadecimal(format!(r#"{{"marked":1,"already":0,"refused":{refused}}}"#).as_bytes())
    };
    let answer = |n: u8| {
        format!("writev({n}<{}>, [{{iov_base=\"{head}\"}}, {{iov_base=\"{}\"}}], 2", socket(n), body(n))
    };
    format!(
        "7  write(9<{journal}>, \"{}\", 12) = 12\n\
         7  fdatasync(9<{journal}>) = 0\n\
         8  {}) = 90\n\
         7  write(9<{journal}>, \"{}\", 6 <unfinished ...>\n\
         6  {}) = 90\n\
         7  <... write resumed>) = 6\n\
         6  --- SIGTERM {{si_signo=SIGTERM}} ---\n\
         {third}6  +++ exited with 0 +++\n",
        frame(&[1, 2]),
        answer(1),
        frame(&[3]),
        answer(2),
    )
    .replace("SYNC", &format!("fdatasync(9<{journal}>"))
    .replace("ANSWER", &answer(3))
}

fn slot(reader: &str) -> u8 {
    reader[1..].parse().unwrap()
}

#[test]
fn answers_behind_their_syncs_are_in_order() {
    for third in [
        "7  SYNC) = 0\n8  ANSWER) = 90\n",
        "7  SYNC <unfinished ...>\n7  <... fdatasync resumed>) = 0\n8  ANSWER <unfinished ...>\n8  <... writev resumed>) = 90\n",
    ] {
        let (readers, violations) = check(&read(&trace(third)), slot);
        assert_eq!(readers, ["r1", "r2", "r3"]);
        assert_eq!(violations, [""; 0]);
    }
}

#[test]
fn an_answer_before_its_sync_has_ended_is_found() {
    for third in [
        "8  ANSWER) = 90\n7  SYNC) = 0\n",
        "7  SYNC <unfinished ...>\n8  ANSWER) = 90\n7  <... fdatasync resumed>) = 0\n",
        "7  SYNC <unfinished ...>\n8  ANSWER <unfinished ...>\n7  <... fdatasync resumed>) = 0\n8  <... writev resumed>) = 90\n",
        "7  SYNC) = -1 EIO (Input/output error)\n8  ANSWER) = 90\n",
        "8  ANSWER) = 90\n",
    ] {
        let (readers, violations) = check(&read(&trace(third)), slot);
        assert_eq!(readers.len(), 3, "{third}");
        assert!(matches!(&violations[..], [one] if one.contains("r3")), "{third}{violations:?}");
    }
}

mod with_tools {
    use std::path::Path;

    use tokio::task::JoinSet;

    use super::{
        super::{
            calls::{self, TRACE, check},
            chat, client, read, start, start_under,
        },
        slot,
    };

    const READERS: u8 = 120;
    /// The first so many mark one after the other.
    const ALONE: u8 = 40;
    const CONNECTIONS: u8 = 8;

    fn under<'a>(trace: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        [&TRACE, &[trace.to_str().unwrap()][..], more].concat()
    }

    /// Marks the message; the one it names besides is not there, so that the answer names the reader.
    async fn mark(client: &seenby::client::Client, reader: u8) {
        let reader = format!("r{reader}");
        let answer = client.mark_messages("c", &reader, &["m1", &reader]).await.unwrap();
        assert_eq!((answer.marked, answer.already, answer.refused.len()), (1, 0, 1));
    }

    #[tokio::test]
    #[ignore = "needs strace"]
    async fn every_mark_is_on_disk_before_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let server = start_under(&under(&trace, &[]), &directory.path().join("data"), &[]);
        // The sender has the first slot, the readers those of their numbers.
        let members: Vec<_> = (1..=READERS).map(|n| format!("r{n}")).collect();
        let members: Vec<_> = ["r0"].into_iter().chain(members.iter().map(String::as_str)).collect();
        let one = client(&server);
        chat(&one, "c", &members, &["m1"]).await;
        for reader in 1..=ALONE {
            mark(&one, reader).await;
        }
        let mut marking = JoinSet::new();
        for first in 0..CONNECTIONS {
            let client = client(&server);
            marking.spawn(async move {
                for reader in (ALONE + 1..=READERS).skip(first.into()).step_by(CONNECTIONS.into()) {
                    mark(&client, reader).await;
                }
            });
        }
        marking.join_all().await;
        let pid = server.pid();
        assert!(server.terminate().success());

        let calls = calls::read(&calls::whole(&trace, pid));
        let (mut readers, violations) = check(&calls, slot);
        assert_eq!(violations, [""; 0]);
        readers.sort_by_key(|reader| slot(reader));
        assert_eq!(readers, members[1..], "each mark's answer was found, once");
        let commits = calls.iter().filter(|call| call.is_journal_write()).count();
        assert!(commits >= usize::from(ALONE), "those who were alone had commits of their own: {commits}");
    }

    #[tokio::test]
    #[ignore = "needs strace"]
    async fn what_a_killed_process_had_not_synced_is_synced_before_it_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let trace = directory.path().join("trace");
        // The third is the mark's, after the roster's and the message's.
        let killed = under(&trace, &["-e", "inject=fdatasync:error=EIO:signal=KILL:when=3"]);
        let server = start_under(&killed, &data, &[]);
        let one = client(&server);
        chat(&one, "c", &["r0", "r1"], &["m1"]).await;
        assert!(one.mark_messages("c", "r1", &["m1"]).await.is_err(), "it died on the way to the disk");
        assert_eq!(server.ended().code(), None);

        std::fs::remove_file(&trace).unwrap();
        let server = start_under(&under(&trace, &[]), &data, &[]);
        assert_eq!(read(&client(&server), "c", "m1").await, Some(1), "the kernel still had it");
        let pid = server.pid();
        server.kill();
        let calls = calls::read(&calls::whole(&trace, pid));
        let ready = calls.iter().find(|call| call.bytes.starts_with(b"seenby listening")).unwrap();
        let segment = data.join("journal/00000000000000000001.journal");
        let is_synced = calls.iter().any(|call| {
            call.is_sync_of(segment.to_str().unwrap()) && call.succeeded.is_some_and(|end| end < ready.began)
        });
        assert!(is_synced, "a power cut now would take away what is shown");
        assert_eq!(read(&client(&start(&data, &[])), "c", "m1").await, Some(1));
    }
}
