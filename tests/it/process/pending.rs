//! While a mark is on its way to the disk: not answered, not shown, and in nobody's way.

mod with_tools {
    use std::{path::Path, time::Duration};

    use seenby::client::Client;
    use tokio::time::Instant;

    use super::super::{chat, client, read, start_under};

    /// What a sync takes at the least, in microseconds: as strace wants it.
    const SYNC_US: u64 = 900_000;

    /// What strace is started with, to hold up the third sync alone: the mark's, after roster and message.
    fn slow_disk(trace: &Path) -> Vec<String> {
        let slow = format!("inject=fdatasync:delay_enter={SYNC_US}:when=3");
        let words =
            ["strace", "-D", "-f", "-e", "trace=fdatasync", "-e", &slow, "-o", trace.to_str().unwrap()];
        words.map(str::to_owned).to_vec()
    }

    /// What of a mark's answer counts, and when it came.
    async fn mark(client: Client) -> (usize, usize, Instant) {
        let answer = client.mark_messages("c", "bob", &["m1"]).await.unwrap();
        (answer.marked, answer.already, Instant::now())
    }

    #[tokio::test]
    #[ignore = "needs strace"]
    async fn a_mark_on_its_way_is_not_answered_and_not_shown_and_delays_no_pull() {
        let directory = tempfile::tempdir().unwrap();
        let slow = slow_disk(&directory.path().join("trace"));
        let slow: Vec<_> = slow.iter().map(String::as_str).collect();
        let server = start_under(&slow, &directory.path().join("data"), &[]);
        let one = client(&server);
        chat(&one, "c", &["alice", "bob"], &["m1"]).await;

        let sent = Instant::now();
        // No sync that begins from now on has ended before.
        let durable_after = sent + Duration::from_micros(SYNC_US);
        let first = tokio::spawn(mark(client(&server)));
        let mut pulls = 0;
        let mut second = None;
        while !first.is_finished() {
            let seen = read(&one, "c", "m1").await;
            let now = Instant::now();
            if now < durable_after {
                assert_eq!(seen, Some(0), "shown {:?} after it was sent", now - sent);
                pulls += 1;
            }
            if second.is_none() && pulls == 3 {
                second = Some(tokio::spawn(mark(client(&server))));
            }
        }
        let first = first.await.unwrap();
        let second = second.expect("pulls were answered meanwhile").await.unwrap();
        for (_, _, answered) in [first, second] {
            assert!(answered >= durable_after, "answered {:?} after it was sent", answered - sent);
        }
        let mut counts = [(first.0, first.1), (second.0, second.1)];
        counts.sort_unstable();
        assert_eq!(counts, [(0, 1), (1, 0)], "marked once in all");
        assert!(pulls > 10, "pulls do not wait for the disk, and {pulls} were answered meanwhile");
        assert_eq!(read(&one, "c", "m1").await, Some(1));
    }
}
