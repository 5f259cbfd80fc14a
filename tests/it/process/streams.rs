//! The typed client against the real binary: streams, and connections that its caller makes.

use seenby::client::{Client, ClientError, Receipts, Stream, StreamEvent};
use tokio::net::TcpStream;

use super::{address, chat, client, start};

/// The next event, which must be receipts of one message: how many have read it.
async fn read(stream: &mut Stream) -> (u32, Receipts) {
    match stream.next().await.unwrap() {
        Some(StreamEvent::Receipts(receipts)) => (receipts.receipts[0].read.unwrap(), receipts),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_is_told_of_each_mark_and_goes_on_where_it_was() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &["--stream-every", "0s"]);
    let client = client(&server);
    chat(&client, "c", &["alice", "bob", "carol", "dave"], &["m1"]).await;

    let mut stream = client.stream("c", &["m1"], None, None).await.unwrap();
    assert_eq!(read(&mut stream).await.0, 0);
    client.mark_messages("c", "bob", &["m1"]).await.unwrap();
    let (count, receipts) = read(&mut stream).await;
    assert_eq!(count, 1);
    assert_eq!(client.pull("c", &["m1"]).await.unwrap().etag, receipts.etag, "the name that a pull gives");
    drop(stream);

    client.mark_messages("c", "carol", &["m1"]).await.unwrap();
    let mut stream = client.stream("c", &["m1"], Some(&receipts.etag), None).await.unwrap();
    assert_eq!(read(&mut stream).await.0, 2, "what it missed");
    let id = stream.last_event_id().unwrap().to_owned();
    drop(stream);
    let mut stream = client.stream("c", &["m1"], Some(&id), None).await.unwrap();
    client.mark_messages("c", "dave", &["m1"]).await.unwrap();
    assert_eq!(read(&mut stream).await.0, 3, "it missed nothing");
}

#[tokio::test]
async fn a_stream_ends_in_good_order_and_there_is_nothing_behind_it() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &[]);
    let client = client(&server);
    chat(&client, "c", &["alice", "bob"], &["m1"]).await;
    let mut stream = client.stream("c", &["m1"], None, Some(50)).await.unwrap();
    assert_eq!(read(&mut stream).await.0, 0);
    assert_eq!(stream.next().await.unwrap(), Some(StreamEvent::End));
    assert_eq!(stream.next().await.unwrap(), None);
    let id = stream.last_event_id().unwrap().to_owned();
    let mut behind = client.stream("c", &["m1"], Some(&id), None).await.unwrap();
    assert_eq!(behind.next().await.unwrap(), None);

    let refused = client.stream("c", &["m2"], None, None).await;
    assert!(matches!(refused, Err(ClientError::Problem { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_client_calls_over_the_connection_it_is_given_or_from_the_address() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), &[]);
    let pool = Client::new(server.url()).unwrap();
    chat(&pool, "c", &["alice", "bob"], &["m1"]).await;
    let connection = TcpStream::connect(address(&server)).await.unwrap();
    let one = pool.over(connection).await.unwrap();
    for _ in 0..2 {
        assert_eq!(one.pull("c", &["m1"]).await.unwrap().receipts[0].read, Some(0));
    }
    drop(one.stream("c", &["m1"], None, None).await.unwrap());
    let ended = one.pull("c", &["m1"]).await;
    assert!(matches!(ended, Err(ClientError::Unreachable { .. })), "it ended with its stream: {ended:?}");

    let elsewhere = pool.with_local_address("127.0.0.2".parse().unwrap());
    elsewhere.mark_messages("c", "bob", &["m1"]).await.unwrap();
    assert_eq!(elsewhere.pull("c", &["m1"]).await.unwrap().receipts[0].read, Some(1));
}
