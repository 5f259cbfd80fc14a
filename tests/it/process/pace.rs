//! The pace is looked after while the server runs. Whether it follows a load is for `seenby bench pace` to show: what a
//! machine is busy with besides, a test cannot know.

use super::{connection, start};
use crate::harness::PATIENCE;

#[tokio::test]
async fn the_pace_and_the_load_are_among_the_metrics() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &["--poll-every", "2500ms", "--poll-every-max", "2500ms"]);
    let mut wire = connection(&server).await;
    let looked = async {
        loop {
            let text = String::from_utf8(wire.get("/metrics").await.body).unwrap();
            assert!(text.contains("\nseenby_poll_every_seconds 2.5\n"), "it may not be stretched: {text}");
            if !text.contains("\nseenby_load 0.0\n") {
                return text;
            }
        }
    };
    let text = tokio::time::timeout(PATIENCE, looked).await.expect("a look at the load");
    for part in ["processor", "waiting", "commit"] {
        assert!(text.contains(&format!("\nseenby_load_part{{of=\"{part}\"}} ")), "{text}");
    }
}
