//! Comparing: the server's whole state, read back through the API, against what the trace says.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;

use super::{Difference, Play, ReplayError, message_id};
use crate::{
    cli::trace::{ExpectedMessage, Name},
    client::ClientError,
    wire::{ReadersResponse, UnreadResponse},
};

/// How many compare at once, for each conversation.
const COMPARERS: usize = 8;
/// Messages on a screen.
const SCREEN: usize = 20;
/// How many names of a list a difference tells at most.
const NAMES_MAX: usize = 8;

/// Compares everything that the API tells about the conversation.
pub(super) async fn compare(play: Arc<Play>) -> Result<Vec<Difference>, ReplayError> {
    let mut found = Vec::new();
    members(&play, &mut found).await?;
    messages(&play, &mut found).await?;
    let mut comparers: JoinSet<_> = (0..COMPARERS).map(|first| compare_some(play.clone(), first)).collect();
    while let Some(done) = comparers.join_next().await {
        found.append(&mut done??);
    }
    found.sort_unstable_by(|a, b| a.what.cmp(&b.what));
    Ok(found)
}

/// Every eighth message, screen and badge, from the one numbered `first` on.
async fn compare_some(play: Arc<Play>, first: usize) -> Result<Vec<Difference>, ReplayError> {
    let mut found = Vec::new();
    for message in play.expected.messages.iter().skip(first).step_by(COMPARERS) {
        lists(&play, message, &mut found).await?;
        play.progress.add(1);
    }
    for screen in play.expected.messages.chunks(SCREEN).skip(first).step_by(COMPARERS) {
        pulled(&play, screen, &mut found).await?;
    }
    for user in play.expected.users.iter().skip(first).step_by(COMPARERS) {
        badge(&play, user, &mut found).await?;
    }
    Ok(found)
}

/// The roster at the end.
async fn members(play: &Play, found: &mut Vec<Difference>) -> Result<(), ReplayError> {
    let Play { conversation, client, retry, .. } = play;
    if play.expected.users.is_empty() {
        return Ok(());
    }
    let listed = retry.run(|| client.roster(conversation)).await;
    let listed = match listed {
        Err(ClientError::Problem { problem, .. }) if problem.status == 404 => {
            found.push(play.differs(format!("the roster: {}", problem.code)));
            return Ok(());
        }
        listed => listed.map_err(play.failed("list the members"))?,
    };
    same_names(play, "the roster", &play.expected.members, &listed, found);
    Ok(())
}

/// The list of messages: which, in which order, from whom, and how many have read them.
async fn messages(play: &Play, found: &mut Vec<Difference>) -> Result<(), ReplayError> {
    let Play { conversation, client, retry, .. } = play;
    let listed =
        retry.run(|| client.messages(conversation)).await.map_err(play.failed("list the messages"))?;
    let listed: Vec<_> = listed
        .into_iter()
        .map(|is| {
            format!("{} of {} at {}, read by {} of {}", is.message, is.sender, is.order, is.read, is.of)
        })
        .collect();
    let must: Vec<_> = play.expected.messages.iter().map(in_one_line).collect();
    if listed.len() != must.len() {
        found.push(play.differs(format!("{} messages are listed, and must be {}", listed.len(), must.len())));
    }
    for (is, must) in listed.iter().zip(&must).filter(|(is, must)| is != must) {
        found.push(play.differs(format!("the messages: {is}; must be {must}")));
    }
    Ok(())
}

fn in_one_line(message: &ExpectedMessage) -> String {
    let ExpectedMessage { number, sender, readers, .. } = message;
    format!("{} of {sender} at {number}, read by {} of {}", message_id(*number), readers.len(), message.of())
}

/// Who has read a message and who has not, name by name.
async fn lists(
    play: &Play,
    message: &ExpectedMessage,
    found: &mut Vec<Difference>,
) -> Result<(), ReplayError> {
    let Play { conversation, client, retry, .. } = play;
    let id = message_id(message.number);
    for (list, must) in [("readers", &message.readers), ("unread", &message.unread())] {
        let mut after: Option<String> = None;
        let mut users = Vec::new();
        loop {
            let part = if list == "readers" {
                retry.run(|| client.readers_part(conversation, &id, after.as_deref())).await
            } else {
                retry.run(|| client.unread_part(conversation, &id, after.as_deref())).await
            };
            let ReadersResponse { read, of, users: mut some, next, .. } = match part {
                Err(ClientError::Problem { problem, .. }) if problem.status == 404 => {
                    found.push(play.differs(format!("{id} {list}: {}", problem.code)));
                    return Ok(());
                }
                part => part.map_err(play.failed(format!("list the {list} of {id}")))?,
            };
            if (read as usize, of as usize) != (message.readers.len(), message.of()) {
                let must = in_one_line(message);
                found.push(play.differs(format!("{id} {list}: read by {read} of {of}; must be {must}")));
            }
            users.append(&mut some);
            after = next;
            if after.is_none() {
                break;
            }
        }
        same_names(play, &format!("{id} {list}"), must, &users, found);
    }
    Ok(())
}

/// The pull of a whole screen.
async fn pulled(
    play: &Play,
    screen: &[ExpectedMessage],
    found: &mut Vec<Difference>,
) -> Result<(), ReplayError> {
    let Play { conversation, client, retry, .. } = play;
    let ids: Vec<_> = screen.iter().map(|message| message_id(message.number)).collect();
    let receipts =
        retry.run(|| client.pull(conversation, &ids)).await.map_err(play.failed("pull a screen"))?;
    let is: Vec<_> = receipts
        .receipts
        .iter()
        .map(|is| format!("{} read by {:?} of {:?}", is.message, is.read, is.of))
        .collect();
    let must: Vec<_> = screen
        .iter()
        .map(|must| {
            let (read, of) = (Some(must.readers.len()), Some(must.of()));
            format!("{} read by {read:?} of {of:?}", message_id(must.number))
        })
        .collect();
    if is.len() != must.len() {
        found.push(play.differs(format!("a pull from {} on brings {} entries", ids[0], is.len())));
    }
    for (is, must) in is.iter().zip(&must).filter(|(is, must)| is != must) {
        found.push(play.differs(format!("the pull: {is}; must be {must}")));
    }
    Ok(())
}

/// What a user has left to read.
async fn badge(play: &Play, user: &Name, found: &mut Vec<Difference>) -> Result<(), ReplayError> {
    let Play { conversation, client, retry, .. } = play;
    let badge = retry.run(|| client.badge(conversation, user)).await;
    let UnreadResponse { reader, unread, first_unread } =
        badge.map_err(play.failed(format!("ask for the badge of {user}")))?;
    let (must, first) = play.expected.badge(user);
    let first = first.map(message_id);
    if (&*reader, unread, &first_unread) != (&**user, must, &first) {
        let what = format!(
            "the badge of {user}: {unread} unread from {first_unread:?} on for {reader}; must be {must} from {first:?} on"
        );
        found.push(play.differs(what));
    }
    Ok(())
}

/// Compares a list with a set: nobody missing, nobody extra, nobody twice.
fn same_names(play: &Play, list: &str, must: &BTreeSet<Name>, is: &[String], found: &mut Vec<Difference>) {
    let mut seen = BTreeSet::new();
    let twice: Vec<&str> = is.iter().map(String::as_str).filter(|name| !seen.insert(*name)).collect();
    let missing: Vec<&str> = must.iter().map(|name| &**name).filter(|name| !seen.contains(name)).collect();
    let extra: Vec<&str> = seen.into_iter().filter(|name| !must.contains(*name)).collect();
    for (how, names) in [("missing", missing), ("extra", extra), ("twice", twice)] {
        if !names.is_empty() {
            let more = names.len().saturating_sub(NAMES_MAX);
            let tail = if more == 0 { String::new() } else { format!(" and {more} more") };
            let names = names[..names.len() - more].join(", ");
            found.push(play.differs(format!("{list}: {how} {names}{tail}")));
        }
    }
}
