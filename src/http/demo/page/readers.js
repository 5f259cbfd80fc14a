/**
 * The rest of the world, in a worker of its own so that a hidden page does not slow it down: the chat's back end, and
 * the 1,999 members who read and write. It calls the server as a back end does; the phone on the page is not its business.
 */
import { Group } from "./group.js";
import { HABITS } from "./habits.js";
import { SENDER } from "./people.js";
import { REPLIES } from "./talk.js";

/** Marks are gathered for so long. */
const TURN_MS = 250;
const TRY_AGAIN_MS = 2_000;
/** What one call may have. */
const MARKS_MAX = 1_000;
const EXPIRES_IN_S = 3_600;
/** So many messages of the history the phone's user has not seen. */
const UNSEEN = 5;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const between = (least, most) => least + Math.random() * (most - least);

let conversation = "";
/** @type {Group} */
let group;
let habit = HABITS.day;
let talksAt = Infinity;
let isWell = true;
/** Whether the server may have forgotten the chat, or be away, which one call will tell. */
let isInDoubt = false;

/** The chat is not there any more. */
class Forgotten extends Error {
  message = "The server has forgotten this chat: load the page anew.";
}

/** One call of the server's API. */
async function call(method, path, body) {
  const sent = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`/v1/${path}`, { method, cache: "no-store", ...sent });
  const said = await answer.json();
  if (said.code === "unknown-conversation") throw new Forgotten();
  if (!answer.ok) throw new Error(`The server says: ${said.detail ?? said.title}`);
  return { said, etag: answer.headers.get("ETag") };
}

/** Does it until it is done, and tells the page what keeps it from it. */
async function insist(work) {
  for (;;) {
    try {
      await work();
      if (!isWell) postMessage({ kind: "well" });
      isWell = true;
      return;
    } catch (error) {
      isWell = false;
      // That is what `fetch` throws.
      const isSilent = error instanceof TypeError;
      const says = isSilent ? "The server does not answer. Trying again." : error.message;
      postMessage({ kind: "trouble", says, isForgotten: error instanceof Forgotten });
      await wait(TRY_AGAIN_MS);
    }
  }
}

/** Nothing of the chat is refused while the server knows it. */
function assertKnown({ refused }) {
  if (!refused.length) return;
  isInDoubt = true;
  throw new Forgotten();
}

/** Clears up the doubt. */
async function check() {
  await call("GET", `conversations/${conversation}/members?limit=1`);
  isInDoubt = false;
  postMessage({ kind: "well" });
}

async function mark(places) {
  for (let at = 0; at < places.length; at += MARKS_MAX) {
    const marks = places.slice(at, at + MARKS_MAX).map(([reader, up_to]) => ({ conversation, reader, up_to }));
    const { said } = await call("POST", "marks", { marks });
    assertKnown(said);
  }
}

async function register() {
  const fresh = group.messages.slice(group.known);
  if (!fresh.length) return;
  const messages = fresh.map(({ id, sender }) => ({ id, sender, expires_in_s: EXPIRES_IN_S }));
  const { said } = await call("POST", `conversations/${conversation}/messages`, { messages });
  assertKnown(said);
  group.known += fresh.length;
  postMessage({ kind: "registered", messages: fresh.map(({ id }) => id) });
}

async function settle() {
  await call("PUT", `conversations/${conversation}/members`, { members: [SENDER, ...group.members] });
  await register();
  const last = group.messages.at(-1).id;
  const seen = group.messages.at(-1 - UNSEEN).id;
  const { said, etag } = await call("GET", `conversations/${conversation}/receipts?message=${last}`);
  await mark([[SENDER, seen], ...group.places()]);
  // An event's id is the tag without its quotes.
  postMessage({ kind: "ready", history: group.messages, seen, id: etag.slice(1, -1), poll: said.poll });
}

/** Those whose time has come open the chat, and read up to the newest message. */
async function read(members) {
  const length = group.known;
  const { id, at } = group.messages[length - 1];
  if (!members.length || at < Date.now() - EXPIRES_IN_S * 1_000) return;
  await mark(members.map((member) => [member, id]));
  const rises = group.confirm(members, length).filter(({ message }) => message.sender === SENDER);
  if (!rises.length) return;
  postMessage({ kind: "read", rises: rises.map(({ message, from, to }) => ({ message: message.id, from, to })) });
}

/** Somebody writes, and so has read what was there. */
async function talk() {
  const sender = group.someone();
  await read([sender]);
  talksAt = Date.now() + between(25_000, 50_000);
  const text = REPLIES[Math.floor(Math.random() * REPLIES.length)];
  postMessage({ kind: "said", message: group.say(sender, text, Date.now()) });
}

async function turn() {
  if (isInDoubt) await check();
  await register();
  group.expect(Date.now());
  await read(group.due(Date.now(), MARKS_MAX));
  if (Date.now() >= talksAt && habit !== HABITS.nobody) await talk();
}

async function live() {
  group = new Group(habit);
  await insist(settle);
  talksAt = Date.now() + between(12_000, 20_000);
  for (;;) {
    await insist(turn);
    await wait(TURN_MS);
  }
}

addEventListener("message", ({ data }) => {
  if (data.kind === "begin") {
    ({ conversation } = data);
    habit = HABITS[data.behaviour];
    void live();
  } else if (data.kind === "behave") {
    habit = HABITS[data.behaviour];
    group.behave(habit, Date.now());
  } else if (data.kind === "doubt") {
    isInDoubt = true;
  } else if (data.kind === "send") {
    postMessage({ kind: "said", message: group.say(SENDER, data.text, Date.now()) });
    talksAt = Math.min(talksAt, Date.now() + between(4_000, 9_000));
  }
});
