/**
 * Puts the page together: the worker with the readers, the phone with the SDK, and what is counted between them.
 *
 * `phone` is the left side, `wire` and `timeline` the right one; `strategies` and `habits` are what the switches choose.
 */
import { write } from "./dom.js";
import { HABITS } from "./habits.js";
import { Looks } from "./looks.js";
import { Meter } from "./meter.js";
import { MEMBERS, SENDER } from "./people.js";
import { Phone } from "./phone.js";
import { Push } from "./push.js";
import { ReceiptsDialog } from "./receipts-dialog.js";
import { createClient } from "./sdk/index.js";
import { badge, UpTo } from "./sdk/up-to.js";
import { STRATEGIES } from "./strategies.js";
import { NEXT } from "./talk.js";
import { Timeline } from "./timeline.js";
import { Wire } from "./wire.js";

const TICK_MS = 250;
/** A little less than a second, so that no tick just misses it. */
const DRAWN_EVERY_MS = 990;
const NO_ANSWER = "The server does not answer. Trying again.";
/** What begins and stops is announced once it has lasted so long. */
const ANNOUNCED_MS = 1_500;

const element = (id) => document.getElementById(id);
const conversationId = `demo-${crypto.randomUUID().slice(0, 8)}`;
const world = new Worker(new URL("./readers.js", import.meta.url), { type: "module" });
const wire = new Wire(element("lines"), element("totals"));
const timeline = new Timeline(element("timeline"));
const dialog = new ReceiptsDialog(element("receipts"));
const phone = new Phone({
  scroller: element("chat"),
  list: element("messages"),
  state: element("state"),
  opened: (message) => dialog.open(conversation, message),
  lost: doubt,
});
const meter = new Meter(moved);
/** What it would have cost to push; there once the first answer has said what an event looks like. */
let push = new Push("", 0, null);
let client;
let conversation;
let forMs = 20_000;

/** Something went over the wire, or is over. */
function moved(request) {
  const { what, messages, isUpTo, status, isOver, refused } = request;
  wire.log(request);
  changed();
  // A stream's parts, and the others as a whole.
  if (isOver !== (what === "stream")) {
    timeline.moved(status === "304" ? "unchanged" : what);
    phone.pulse(messages);
  }
  if (isOver && refused) {
    const marked = messages.filter((message) => !refused.includes(message));
    if (!isUpTo) phone.marked(marked);
    else marked.forEach((last) => phone.markedUpTo(last));
  }
  if (isOver && status !== "none") trouble("phone", "");
  if (what !== "list" && (status === "200" || status === "304")) dialog.retry();
}

/** What keeps the phone or the readers from the server, until there is nothing. */
const troubles = { phone: "", readers: "" };
function trouble(whose, says) {
  troubles[whose] = says;
  const all = [...new Set(Object.values(troubles))].filter(Boolean).join(" ");
  write(element("status"), all);
  dialog.warn(all);
}

/** Whether the server has forgotten the chat, so that nobody can be sent anything. */
let isForgotten = false;
function forgotten(is) {
  isForgotten = is;
  element("send").disabled = is || !client;
}

/** Whether the server is away, or has forgotten the chat: the chat's back end has to see. */
function doubt() {
  world.postMessage({ kind: "doubt" });
}

const chosen = (name) => document.querySelector(`[name=${name}]:checked`).value;

/** A new client of the SDK, as the switch says. */
function begin() {
  const strategy = STRATEGIES[chosen("strategy")];
  const { environment, source } = strategy.options();
  const looks = new Looks(environment, strategy.isEndless ? Infinity : forMs);
  void client?.close();
  client = createClient({
    url: location.origin,
    user: SENDER,
    marks: UpTo,
    fetch: meter.fetch,
    environment: looks,
    ...(source && { source }),
    onError({ code, message }) {
      trouble("phone", code === "network" ? NO_ANSWER : `The server says: ${message}`);
      if (code === "network") doubt();
    },
  });
  conversation = client.conversation(conversationId);
  badge(conversation).catch(() => {});
  phone.use(conversation, looks, strategy.word);
}

function reset() {
  meter.reset();
  push.reset();
  timeline.clear();
  wire.clear();
  changed();
}

const heard = {
  ready({ history, seen, id, poll }) {
    push = new Push(id, MEMBERS - 1, poll);
    forMs = poll.for_ms;
    phone.begin(history, seen);
    begin();
    element("send").disabled = false;
  },
  said: ({ message }) => phone.said(message),
  registered: ({ messages }) => phone.registered(messages),
  read({ rises }) {
    rises.forEach((rise) => push.rose(rise));
    timeline.pushed(rises.reduce((sum, { from, to }) => sum + to - from, 0));
    changed();
  },
  trouble(data) {
    trouble("readers", data.says);
    forgotten(data.isForgotten);
  },
  well() {
    trouble("readers", "");
    // The phone may have no reason to ask again, and so to see it.
    if (troubles.phone === NO_ANSWER) trouble("phone", "");
    forgotten(false);
    dialog.retry();
  },
};
world.addEventListener("message", ({ data }) => heard[data.kind](data));

/** Has a switch say what is chosen, and tells when that changes. */
function switches(name, choices, changed) {
  const say = () => write(element(`${name}-says`), choices[chosen(name)].says);
  element(name).addEventListener("change", () => {
    say();
    changed(chosen(name));
  });
  say();
}

switches("strategy", STRATEGIES, () => {
  if (client) begin();
  reset();
});
switches("behaviour", HABITS, (behaviour) => world.postMessage({ kind: "behave", behaviour }));

let next = 0;
function suggest() {
  element("text").value = NEXT[next++ % NEXT.length];
}
element("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text").value.trim();
  if (!text) return;
  world.postMessage({ kind: "send", text });
  suggest();
});
element("reset").addEventListener("click", reset);

/** Tells those who cannot see it that pulls begin and stop. */
let lastState = "";
let stateTimer;
function announce(state) {
  if (state === lastState) return;
  lastState = state;
  clearTimeout(stateTimer);
  stateTimer = setTimeout(() => write(element("announcer"), element("state").textContent), ANNOUNCED_MS);
}

/** What was counted is drawn with the log's next frame; and once a second, as time goes on. */
let drawnAt = 0;
let isChanged = false;
function draw() {
  isChanged = false;
  drawnAt = performance.now();
  wire.show(meter, push);
  timeline.show(meter.radio, push.radio);
}
function changed() {
  if (isChanged) return;
  isChanged = true;
  requestAnimationFrame(draw);
}

setInterval(() => {
  if (performance.now() - drawnAt >= DRAWN_EVERY_MS) draw();
  dialog.show();
  if (client) announce(phone.look(element("status").textContent !== "", isForgotten));
}, TICK_MS);

addEventListener("pagehide", () => {
  void fetch(`/v1/conversations/${conversationId}`, { method: "DELETE", keepalive: true }).catch(() => {});
});
// A page that comes back from the browser's cache has lost its chat.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

suggest();
world.postMessage({ kind: "begin", conversation: conversationId, behaviour: chosen("behaviour") });
