//! Sets up, on every side, what the works are about, and sees to it that all sides then say the same of it.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use seenby::{
    client::Client,
    wire::{BulkMarkEntry, RegisterEntry},
};

use tokio::time::sleep;

use crate::{
    load::Connection,
    marks::MEMBERS,
    protocol::{Protocol, postgres_opening, push_command, push_query},
    pulls::{CONVERSATIONS, MESSAGES, READERS, SCREEN, Screen, key, readers, row},
    server::{POSTGRES_USER, START_MAX, Server},
    work::{Servers, Side},
};

/// Readers that one request marks everything for: so much is done within a node's time for it.
const ENTRIES_MAX: usize = 100;

/// What is pulled, as single messages and as screens.
pub(crate) struct Pulled {
    pub(crate) ones: Vec<Screen>,
    pub(crate) screens: Vec<Screen>,
}

/// Conversations in seenby whose first member has sent all messages.
pub(crate) async fn conversations(
    seenby: &Server,
    name: &str,
    conversations: usize,
    messages: usize,
) -> Result<(), Box<dyn Error>> {
    rosters(seenby, name, conversations).await?;
    self::messages(seenby, name, conversations, messages).await
}

/// Conversations whose members have said nothing yet.
pub(crate) async fn rosters(seenby: &Server, name: &str, conversations: usize) -> Result<(), Box<dyn Error>> {
    let client = client(seenby)?;
    let members: Vec<_> = (0..MEMBERS).map(|member| format!("u{member}")).collect();
    for conversation in (0..conversations).map(|at| format!("{name}{at}")) {
        client.replace_roster(&conversation, &members).await?;
    }
    Ok(())
}

/// What the first member of each conversation sends.
pub(crate) async fn messages(
    seenby: &Server,
    name: &str,
    conversations: usize,
    messages: usize,
) -> Result<(), Box<dyn Error>> {
    let client = client(seenby)?;
    for conversation in (0..conversations).map(|at| format!("{name}{at}")) {
        let entries = (0..messages).map(|message| RegisterEntry {
            id: format!("m{message}"),
            sender: "u0".to_owned(),
            audience: None,
            expires_in_s: None,
            order: None,
        });
        let registered = client.register_bulk(&conversation, entries.collect()).await?.registered;
        if registered != messages {
            return Err(format!("{registered} of {messages} messages are registered").into());
        }
    }
    Ok(())
}

/// The messages that are pulled, on all sides, with their readers.
pub(crate) async fn pulled(servers: &Servers) -> Result<Pulled, Box<dyn Error>> {
    let pulled = pulled_from(&servers.seenby).await?;
    if let Some(valkey) = &servers.valkey {
        fill_valkey(valkey, "").await?;
    }
    if let Some(postgres) = &servers.postgres {
        fill_table(postgres).await?;
    }
    Ok(pulled)
}

/// The messages that are pulled, in seenby alone.
pub(crate) async fn pulled_from(seenby: &Server) -> Result<Pulled, Box<dyn Error>> {
    conversations(seenby, "pull", CONVERSATIONS, MESSAGES).await?;
    let client = client(seenby)?;
    let (mut ones, mut screens) = (screens(1), screens(SCREEN));
    for screen in ones.iter_mut().chain(&mut screens) {
        screen.etag_before = pull(&client, screen).await?.1;
    }
    mark_all(seenby, "pull", CONVERSATIONS, MESSAGES).await?;
    for screen in ones.iter_mut().chain(&mut screens) {
        let (read, etag) = pull(&client, screen).await?;
        same("seenby", read, screen.messages * READERS)?;
        screen.etag = etag;
    }
    Ok(Pulled { ones, screens })
}

fn screens(messages: usize) -> Vec<Screen> {
    let firsts = || (0..MESSAGES).step_by(messages);
    let all = (0..CONVERSATIONS).flat_map(|conversation| firsts().map(move |first| (conversation, first)));
    let screen = |(conversation, first)| Screen {
        conversation,
        first,
        messages,
        etag_before: String::new(),
        etag: String::new(),
    };
    all.map(screen).collect()
}

/// Marks all messages of the conversations for all who ever read.
pub(crate) async fn mark_all(
    seenby: &Server,
    name: &str,
    conversations: usize,
    messages: usize,
) -> Result<(), Box<dyn Error>> {
    let client = client(seenby)?;
    for at in 0..conversations {
        let everything = |reader| BulkMarkEntry {
            conversation: format!("{name}{at}"),
            reader: format!("u{reader}"),
            up_to: Some(format!("m{}", messages - 1)),
            ..BulkMarkEntry::default()
        };
        let entries: Vec<_> = readers().map(everything).collect();
        for entries in entries.chunks(ENTRIES_MAX) {
            client.mark_bulk(entries.to_vec()).await?;
        }
    }
    Ok(())
}

/// How often a screen's messages have been read, and what names that.
async fn pull(client: &Client, screen: &Screen) -> Result<(usize, String), Box<dyn Error>> {
    let receipts = client.pull(&format!("pull{}", screen.conversation), &screen.ids()).await?;
    let read: u32 = receipts.receipts.iter().filter_map(|entry| entry.read).sum();
    Ok((read as usize, receipts.etag))
}

/// A bit for each reader, in a string for each message, below keys that begin so.
pub(crate) async fn fill_valkey(server: &Arc<Server>, tag: &str) -> Result<(), Box<dyn Error>> {
    let mut bits = vec![0; MEMBERS / 8];
    readers().for_each(|reader| bits[reader / 8] |= 128 >> (reader % 8));
    let mut connection = Connection::plain(server).await?;
    for conversation in 0..CONVERSATIONS {
        let (mut set, mut count) = (Vec::new(), Vec::new());
        for message in 0..MESSAGES {
            let key = key(tag, conversation, message);
            push_command(&mut set, &[b"SETRANGE", key.as_bytes(), b"0", &bits]);
            push_command(&mut count, &[b"BITCOUNT", key.as_bytes()]);
        }
        let protocol = Protocol::Resp { replies: MESSAGES, has_marks: false };
        connection.ask(&set, protocol).await?;
        let counts = String::from_utf8(connection.ask(&count, protocol).await?)?;
        let counts = counts.lines().filter_map(|line| line.strip_prefix(':')?.parse::<usize>().ok());
        same("Valkey", counts.sum(), MESSAGES * READERS)?;
    }
    Ok(())
}

/// The table that marks go to.
pub(crate) async fn table(postgres: &Server) -> Result<(), Box<dyn Error>> {
    const TABLE: &str = "CREATE TABLE receipts (message bigint, reader int, PRIMARY KEY (message, reader))";
    /// `cannot_connect_now`: it listens before it can do anything.
    const STARTING: &str = "57P03";
    let began = Instant::now();
    loop {
        match query(postgres, TABLE).await {
            Err(error) if error.to_string().contains(STARTING) && began.elapsed() < START_MAX => {
                sleep(Duration::from_millis(20)).await;
            }
            made => return made.map(drop),
        }
    }
}

/// A row for each message and reader, and the table in the state that its upkeep would leave it in.
async fn fill_table(postgres: &Server) -> Result<(), Box<dyn Error>> {
    let readers: Vec<_> = readers().map(|reader| reader.to_string()).collect();
    let (messages, readers) = (row(CONVERSATIONS, 0) - 1, readers.join(","));
    let fill = format!(
        "INSERT INTO receipts SELECT message, reader FROM generate_series(0, {messages}) message, \
         unnest(ARRAY[{readers}]) reader"
    );
    same("PostgreSQL", query(postgres, &fill).await?, CONVERSATIONS * MESSAGES * READERS)?;
    query(postgres, "VACUUM ANALYZE receipts").await?;
    query(postgres, "CHECKPOINT").await?;
    Ok(())
}

/// Rows that a query has inserted.
async fn query(postgres: &Server, query: &str) -> Result<usize, Box<dyn Error>> {
    let protocol = Protocol::Postgres { has_marks: true };
    let mut connection = Connection::plain(postgres).await?;
    connection.ask(&postgres_opening(POSTGRES_USER, POSTGRES_USER, "")[0], protocol).await?;
    let mut asked = Vec::new();
    push_query(&mut asked, query);
    let answer = connection.ask(&asked, protocol).await?;
    Ok(protocol.answer(&answer)?.map_or(0, |answer| answer.units))
}

/// The first answer to a side's first request.
pub(crate) async fn ask(side: &Side) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut request = Vec::new();
    side.next(&mut request);
    Ok(Connection::open(side).await?.ask(&request, side.protocol).await?)
}

pub(crate) fn client(seenby: &Server) -> Result<Client, Box<dyn Error>> {
    Ok(Client::new(&format!("http://{}", seenby.address))?)
}

fn same(who: &str, counted: usize, wanted: usize) -> Result<(), Box<dyn Error>> {
    if counted == wanted {
        return Ok(());
    }
    Err(format!("{who} counts {counted} receipts, and must count {wanted}").into())
}
