//! What is asked for: requests made once or in a few microseconds, and the conversations that they are about.

use std::{
    error::Error,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use seenby::{
    client::Client,
    wire::{BulkMarkEntry, RegisterEntry},
};

use crate::peer::Peer;

/// Conversations of each workload, and of the bulks, which use up 1,000 marks at a time: 78,000 requests.
const CONVERSATIONS: usize = 10;
const BULK_CONVERSATIONS: usize = 40;
/// Members of each conversation; the first sends all messages.
const MEMBERS: usize = 2_000;
const READERS: usize = MEMBERS - 1;
/// Messages of each conversation.
const MESSAGES: usize = 1_000;
/// Messages on a screen, and of a mark that names several.
const SCREEN: usize = 20;
/// Readers in a bulk of marks: 1,000 ids with a screen each.
const BULK_READERS: usize = 50;
/// Who has read the screens that are pulled.
const SCREEN_READERS: usize = 300;

/// One kind of request, and where it has got to: no mark is made twice.
pub(crate) struct Workload {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// What it has done one of with each unit: marks, screens, requests.
    pub(crate) unit: &'static str,
    /// Whether it is a POST, which is compared with a bare POST.
    pub(crate) posts: bool,
    /// The status of a good answer.
    pub(crate) status: u16,
    requests: Requests,
    next: AtomicUsize,
}

enum Requests {
    /// For the bare server: one request, always the same.
    Bare(Vec<u8>),
    /// A mark of one message.
    MarkOne,
    /// A mark of a screen of messages.
    MarkScreen,
    /// A bulk: a screen of messages for each of some readers.
    MarkBulk,
    /// Made before, one after the other and then again.
    Made(Vec<Vec<u8>>),
}

impl Workload {
    fn new(name: &'static str, unit: &'static str, status: u16, requests: Requests) -> Self {
        let posts = match &requests {
            Requests::Bare(request) => request.starts_with(b"POST"),
            Requests::Made(_) => false,
            _ => true,
        };
        Self { name, unit, posts, status, requests, next: AtomicUsize::new(0) }
    }

    /// Whether it is for the bare server.
    pub(crate) fn is_floor(&self) -> bool {
        matches!(self.requests, Requests::Bare(_))
    }

    /// Whether its answers count marks.
    pub(crate) fn marks(&self) -> bool {
        self.posts && !self.is_floor()
    }

    fn conversations(&self) -> usize {
        if matches!(self.requests, Requests::MarkBulk) { BULK_CONVERSATIONS } else { CONVERSATIONS }
    }

    /// Writes the next request over `out`; false once every mark has been made.
    pub(crate) fn next(&self, out: &mut Vec<u8>) -> bool {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let conversations = self.conversations();
        let (conversation, rest) = (at % conversations, at / conversations);
        let body = match &self.requests {
            Requests::Bare(request) => return replace(out, request),
            Requests::Made(requests) => return replace(out, &requests[at % requests.len()]),
            Requests::MarkOne => {
                let (reader, message) = (1 + rest % READERS, rest / READERS);
                if message >= MESSAGES {
                    return false;
                }
                format!(r#"{{"reader":"u{reader}","messages":["m{message}"]}}"#)
            }
            Requests::MarkScreen => {
                let (reader, screen) = (1 + rest % READERS, rest / READERS);
                if screen >= MESSAGES / SCREEN {
                    return false;
                }
                format!(r#"{{"reader":"u{reader}","messages":[{}]}}"#, ids(screen))
            }
            Requests::MarkBulk => {
                const BLOCKS: usize = READERS / BULK_READERS;
                let (block, screen) = (rest % BLOCKS, rest / BLOCKS);
                if screen >= MESSAGES / SCREEN {
                    return false;
                }
                let ids = ids(screen);
                let mut body = r#"{"marks":["#.to_owned();
                for reader in 1 + block * BULK_READERS..=(block + 1) * BULK_READERS {
                    let comma = if body.ends_with('[') { "" } else { "," };
                    let entry = format!(
                        r#"{{"conversation":"bulk{conversation}","reader":"u{reader}","messages":[{ids}]}}"#
                    );
                    body.push_str(comma);
                    body.push_str(&entry);
                }
                body.push_str("]}");
                body
            }
        };
        let path = match self.requests {
            Requests::MarkBulk => "/v1/marks".to_owned(),
            Requests::MarkOne => format!("/v1/conversations/one{conversation}/marks"),
            _ => format!("/v1/conversations/screen{conversation}/marks"),
        };
        replace(out, &post(&path, &body))
    }
}

fn replace(out: &mut Vec<u8>, request: &[u8]) -> bool {
    out.clear();
    out.extend_from_slice(request);
    true
}

/// The messages of a screen, as JSON strings.
fn ids(screen: usize) -> String {
    let mut ids = String::new();
    for message in screen * SCREEN..(screen + 1) * SCREEN {
        let comma = if ids.is_empty() { "" } else { "," };
        write!(ids, r#"{comma}"m{message}""#).expect("invariant: a String takes any text");
    }
    ids
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn get(path: &str, etag: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nif-none-match: {etag}\r\n\r\n").into_bytes()
}

/// Sets up the conversations and makes the workloads about them, the bare ones first.
pub(crate) async fn prepare(seenby: &Peer) -> Result<Vec<Arc<Workload>>, Box<dyn Error>> {
    let client = Client::new(&format!("http://{}", seenby.address))?;
    let members: Vec<_> = (0..MEMBERS).map(|member| format!("u{member}")).collect();
    for (kind, conversations) in [
        ("one", CONVERSATIONS),
        ("screen", CONVERSATIONS),
        ("bulk", BULK_CONVERSATIONS),
        ("pull", CONVERSATIONS),
    ] {
        for at in 0..conversations {
            set_up(&client, &format!("{kind}{at}"), &members).await?;
        }
    }
    let (unread, read) = screens(&client).await?;
    let bare_body = r#"{"reader":"u1000","messages":["m500"]}"#;
    let workloads = [
        Workload::new(
            "bare hyper, POST",
            "requests",
            200,
            Requests::Bare(post("/v1/conversations/one0/marks", bare_body)),
        ),
        Workload::new("bare hyper, GET", "requests", 200, Requests::Bare(read[0].clone())),
        Workload::new("mark of 1", "marks", 200, Requests::MarkOne),
        Workload::new("mark of 20", "marks", 200, Requests::MarkScreen),
        Workload::new("bulk of 50 x 20", "marks", 200, Requests::MarkBulk),
        Workload::new("pull of 20, changed", "screens", 200, Requests::Made(unread)),
        Workload::new("pull of 20, 304", "screens", 304, Requests::Made(read)),
    ];
    Ok(workloads.map(Arc::new).into())
}

/// A conversation whose first member has sent all the messages.
async fn set_up(client: &Client, conversation: &str, members: &[String]) -> Result<(), Box<dyn Error>> {
    client.replace_roster(conversation, members).await?;
    let messages = (0..MESSAGES).map(|message| RegisterEntry {
        id: format!("m{message}"),
        sender: members[0].clone(),
        audience: None,
        expires_in_s: None,
        order: None,
    });
    let registered = client.register_bulk(conversation, messages.collect()).await?.registered;
    if registered == MESSAGES {
        return Ok(());
    }
    Err(format!("{registered} of {MESSAGES} messages are registered").into())
}

/// Pulls of all screens: with the names from before their readers came, and with those from after.
async fn screens(client: &Client) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), Box<dyn Error>> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let screens: Vec<_> =
        (0..CONVERSATIONS).flat_map(|at| (0..MESSAGES / SCREEN).map(move |screen| (at, screen))).collect();
    for &(at, screen) in &screens {
        before.push(pull(client, at, screen).await?);
    }
    for at in 0..CONVERSATIONS {
        let everything = |reader| BulkMarkEntry {
            conversation: format!("pull{at}"),
            reader: format!("u{reader}"),
            up_to: Some(format!("m{}", MESSAGES - 1)),
            ..BulkMarkEntry::default()
        };
        client.mark_bulk((1..=SCREEN_READERS).map(everything).collect()).await?;
    }
    for &(at, screen) in &screens {
        after.push(pull(client, at, screen).await?);
    }
    Ok((before, after))
}

/// Pulls a screen once; the same pull again, as bytes, with the name it came with.
async fn pull(client: &Client, at: usize, screen: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let conversation = format!("pull{at}");
    let ids: Vec<_> = (screen * SCREEN..(screen + 1) * SCREEN).map(|message| format!("m{message}")).collect();
    let receipts = client.pull(&conversation, &ids).await?;
    let path = format!("/v1/conversations/{conversation}/receipts?message={}", ids.join("&message="));
    Ok(get(&path, &receipts.etag))
}
