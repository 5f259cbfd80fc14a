//! The shape of recorded chats: members come and go, whoever posts has read what came before.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    BenchError,
    disk::Size,
    float,
    footprint::Figures,
    load::{Bar, Pace, SCREEN, count, each},
    server::{Start, Watch},
};
use crate::{
    cli::trace::{Act, Expected, Trace, expected},
    client::Client,
    wire::{RegisterRequest, RosterChangeRequest},
};

/// One chat, and what must come of it.
#[derive(Debug, Clone)]
struct Play {
    trace: Trace,
    expected: Expected,
}

/// Acts the chats out as fast as the server answers, and measures as [`footprint`](super::footprint) does. Rosters
/// alone are all users that ever come into a chat.
pub(super) async fn measure(paths: &[PathBuf], start: &Start, pace: Pace) -> Result<Figures, BenchError> {
    let plays = read(paths)?;
    let server = start.start().await?;
    for play in &plays {
        let users: Vec<_> = play.expected.users.iter().map(ToString::to_string).collect();
        let put = server.client.replace_roster(&play.trace.name, &users).await;
        put.map_err(BenchError::call("put a roster"))?;
        // All have their slots now; who is there from the beginning comes again.
        let left = server.client.replace_roster(&play.trace.name, &[""; 0]).await;
        left.map_err(BenchError::call("empty a roster"))?;
    }
    server.stop().await?;
    let rosters = Size::of(start.data());

    let server = start.start().await?;
    let (watch, began) = (Watch::begin(server.process(), start.data()), Instant::now());
    let bar = Bar::new("traces", plays.len());
    let acted =
        each(pace, &bar, plays.iter().cloned(), |play| act(play.trace, server.client.clone())).await?;
    let (load_s, written, most) = (began.elapsed().as_secs_f64(), server.process().written(), watch.end());
    server.stop().await?;
    let disk = Size::of(start.data()) - rosters;

    let server = start.start().await?;
    let ready_s = server.ready_in.as_secs_f64();
    let pulled = each(pace, &bar, plays.iter().cloned(), |play| pull(play, server.client.clone())).await?;
    let resident_touch = server.process().resident_most();
    server.stop().await?;
    let marks = acted.iter().sum();
    count("receipts", pulled.iter().sum(), marks)?;
    let sum = |of: fn(&Play) -> usize| plays.iter().map(of).sum::<usize>() as u64;
    let messages = sum(|play| play.trace.posts());
    Ok(Figures {
        conversations: plays.len() as u64,
        members: sum(|play| play.expected.users.len()),
        messages,
        marks,
        rosters,
        disk,
        disk_a_message: float(disk.bytes) / float(messages),
        disk_most: most.disk,
        written,
        load_s,
        resident_load: most.resident,
        ready_s,
        resident_touch,
        up_to: None,
    })
}

fn read(paths: &[PathBuf]) -> Result<Vec<Play>, BenchError> {
    let mut plays = Vec::new();
    for path in paths {
        for file in if path.is_dir() { tsv_files(path)? } else { vec![path.clone()] } {
            let trace = Trace::read(&file)?;
            plays.push(Play { expected: expected(&trace), trace });
        }
    }
    Ok(plays)
}

fn tsv_files(folder: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let bad = |source| BenchError::Io { what: format!("read the directory {}", folder.display()), source };
    let entries = fs::read_dir(folder).map_err(bad)?.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "tsv"));
    files.sort();
    if files.is_empty() {
        return Err(BenchError::Usage(format!("{} has no .tsv files", folder.display())));
    }
    Ok(files)
}

/// An id of 20 characters for the message of this number.
fn id(number: u64) -> String {
    format!("{number:020}")
}

/// Acts a chat out; how many marks were new.
async fn act(trace: Trace, client: Client) -> Result<u64, BenchError> {
    let (name, mut before, mut marked) = (trace.name.as_str(), None, 0);
    for event in &trace.events {
        let user = event.user.to_string();
        match event.act {
            Act::Join | Act::Leave => {
                let (add, remove) =
                    if event.act == Act::Join { (vec![user], vec![]) } else { (vec![], vec![user]) };
                let changed = client.change_roster(name, &RosterChangeRequest { add, remove }).await;
                changed.map_err(BenchError::call("change a roster"))?;
            }
            Act::Post(number) => {
                if let Some(before) = before.replace(number) {
                    let mark = client.mark_up_to(name, &user, &id(before)).await;
                    marked += mark.map_err(BenchError::call("mark"))?.marked as u64;
                }
                let request = RegisterRequest::from(user.as_str());
                let sent = client.register(name, &id(number), &request).await;
                sent.map_err(BenchError::call("register a message"))?;
            }
        }
    }
    Ok(marked)
}

/// Pulls all messages of a chat, and lets one reader of each mark it again; how many receipts there are.
async fn pull(play: Play, client: Client) -> Result<u64, BenchError> {
    let name = play.trace.name.as_str();
    let mut read = 0;
    for screen in play.expected.messages.chunks(SCREEN) {
        let ids: Vec<_> = screen.iter().map(|message| id(message.number)).collect();
        let pulled = client.pull(name, &ids).await.map_err(BenchError::call("pull"))?;
        read += pulled.receipts.iter().filter_map(|entry| entry.read).map(u64::from).sum::<u64>();
    }
    for message in &play.expected.messages {
        for reader in message.readers.iter().take(1) {
            let mark = client.mark_messages(name, reader, &[id(message.number)]).await;
            mark.map_err(BenchError::call("mark again"))?;
        }
    }
    Ok(read)
}
