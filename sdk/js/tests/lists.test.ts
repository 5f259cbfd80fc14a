/** Who has read a message and who has not, the chat list, and marks that outlive the page. */
import { afterEach, expect, test, vi } from "vitest";
import { chats } from "../src/chats.js";
import { createKeepingClient } from "../src/keep.js";
import { nonReaders, readers } from "../src/lists.js";
import type { Body } from "../src/shapes.js";
import { json, numbered, pass, problem, restore, Server, FakeScreen, world } from "./world.js";

afterEach(restore);

const all = async (parts: AsyncIterable<{ users: readonly string[] }>) => {
  const users: string[] = [];
  for await (const part of parts) users.push(...part.users);
  return users;
};

test("who has read is walked part by part, and asked for as far as is walked", async () => {
  const { server, conversation } = world();
  const pages: Record<string, unknown> = {
    "": { users: ["bob", "carol"], next: "a/b" },
    "a/b": { users: ["dave"], next: "c" },
    c: { users: [] },
  };
  server.answers = ({ query }) => json({ message: "m/1", read: 3, of: 9, ...(pages[query.get("after") ?? ""] as object) });
  expect(await all(readers(conversation, "m/1", { limit: 2 }))).toEqual(["bob", "carol", "dave"]);
  expect(server.calls.map(({ path }) => path)).toEqual([
    "conversations/c1/messages/m%2F1/readers?limit=2",
    "conversations/c1/messages/m%2F1/readers?limit=2&after=a%2Fb",
    "conversations/c1/messages/m%2F1/readers?limit=2&after=c",
  ]);
  server.calls.length = 0;
  for await (const { read, of } of readers(conversation, "m/1")) {
    expect([read, of]).toEqual([3, 9]);
    break;
  }
  expect(server.calls).toMatchObject([{ path: "conversations/c1/messages/m%2F1/readers?limit=200" }]);
});

test("who has not read is a list of its own, and what cannot be had is an error of the walk", async () => {
  const { server, conversation } = world();
  server.answers = ({ path }) => (path.includes("/m1/unread?") ? json({ users: ["erin"] }) : problem(404, "unknown-message"));
  expect(await all(nonReaders(conversation, "m1"))).toEqual(["erin"]);
  await expect(all(nonReaders(conversation, "m2"))).rejects.toMatchObject({ status: 404, code: "unknown-message" });
});

test("the chat list is asked for by one request, and then for what has changed", async () => {
  const { server, screen, client } = world();
  const answers: Body[] = [
    {
      receipts: [
        { conversation: "c1", message: "m9", read: 3, of: 7 },
        { conversation: "c2", message: "m9", code: "unknown-message" },
        { conversation: "c2", message: "m8", read: 0, of: 1 },
      ],
      etag: "q1",
      poll: { every_ms: 3_000, for_ms: 9_000 },
    },
    { receipts: [], etag: "q1", poll: { every_ms: 3_000, for_ms: 9_000 } },
    { receipts: [{ conversation: "c2", message: "m8", read: 1, of: 1 }], etag: "q2", poll: null },
  ];
  server.answers = () => json(answers[server.calls.length - 1]);
  const list = chats(client);
  const told: Record<string, unknown[]> = { c1m9: [], c2m9: [], c2m8: [] };
  for (const [conversation, message] of [["c1", "m9"], ["c2", "m9"], ["c2", "m8"]] as const) {
    list.watch(conversation, message, (known) => told[conversation + message]!.push(known), conversation);
  }
  screen.show("c1", "c2");
  await pass(60_000);
  const pulls = [
    { conversation: "c1", messages: ["m9"] },
    { conversation: "c2", messages: ["m9", "m8"] },
  ];
  expect(server.calls.map(({ method, path, body }) => [method, path, body])).toEqual([
    ["POST", "receipts/query", { pulls }],
    ["POST", "receipts/query", { pulls, etag: "q1" }],
    ["POST", "receipts/query", { pulls, etag: "q1" }],
  ]);
  expect(server.times).toEqual([50, 3_050, 6_050]);
  expect(told).toEqual({
    c1m9: [{ read: 3, of: 7 }],
    c2m9: [undefined],
    c2m8: [{ read: 0, of: 1 }, { read: 1, of: 1 }],
  });
  expect(list.receipts("c1", "m9")).toEqual({ read: 3, of: 7 });
  expect(list.receipts("c1", "m8")).toBeUndefined();
});

test("a chat list obeys the page as well: hidden, shown, closed", async () => {
  const { server, screen, client } = world();
  server.answers = () => json({ receipts: [], etag: "q1", poll: { every_ms: 2_000, for_ms: 20_000 } });
  chats(client).watch("c1", "m1", () => {});
  await pass(60);
  screen.change("hidden");
  await pass(10_000);
  expect(server.calls).toHaveLength(1);
  screen.change("shown");
  await pass(60);
  expect(server.calls).toHaveLength(2);
  await client.close();
  await pass(10_000);
  expect(server.calls).toHaveLength(2);
});

/** Where marks of alice are kept, and how those of m1 and m2 look. */
const KEY = "seenby:http://localhost:alice";
const MARKS = JSON.stringify(['["c1","m1"]', '["c2","m2"]']);

/** A store such as `localStorage`. */
function store(texts: Record<string, string> = {}) {
  const writes: string[] = [];
  return {
    texts,
    writes,
    getItem: (key: string) => texts[key] ?? null,
    setItem: (key: string, text: string) => void writes.push((texts[key] = text)),
  };
}

function keeping(keep: Parameters<typeof createKeepingClient>[0], server = new Server()) {
  vi.useFakeTimers({ now: 0 });
  const waiting = vi.fn();
  const client = createKeepingClient(keep, {
    url: "http://localhost",
    user: "alice",
    fetch: server.fetch,
    environment: new FakeScreen(),
    onWaiting: waiting,
  });
  return { server, client, waiting };
}

test("marks that could not be sent are kept, and sent by the next client of the same user", async () => {
  const kept = store();
  const { server, client, waiting } = keeping(kept);
  server.answers = () => Promise.reject(new TypeError("Failed to fetch"));
  client.conversation("c1").mark("m1");
  client.conversation("c2").mark("m2");
  await pass(2_000);
  expect(kept.texts).toEqual({ [KEY]: MARKS });
  expect(waiting).toHaveBeenLastCalledWith([["c1", ["m1"]], ["c2", ["m2"]]]);

  const next = keeping(kept);
  await pass(1_000);
  expect(next.server.calls.map(({ path, body }) => [path, body.messages])).toEqual([
    ["conversations/c1/marks", ["m1"]],
    ["conversations/c2/marks", ["m2"]],
  ]);
  await pass(0);
  expect(kept.texts).toEqual({ [KEY]: "[]" });
});

test("many marks at once are one write, and a store that takes long gets the last state", async () => {
  const kept = store();
  const { client } = keeping(kept);
  await pass(0);
  for (const message of numbered(90)) client.conversation("c1").mark(message);
  await pass(0);
  expect(kept.writes).toHaveLength(1);
  expect(JSON.parse(kept.writes[0]!)).toHaveLength(90);
});

test.each(["{", '{"a":1}', "[[1,2]]", "null"])("a store that holds %s is as an empty one", async (text) => {
  const kept = store({ [KEY]: text });
  const { server, client } = keeping(kept);
  await pass(0);
  client.conversation("c1").mark("m1");
  await pass(1_000);
  expect(server.calls.at(-1)!.body).toEqual({ reader: "alice", messages: ["m1"] });
});

test("a second client of the same user, as in another tab, leaves what the first has kept", async () => {
  const kept = store();
  const [first, second] = [keeping(kept), keeping(kept)];
  first.server.answers = () => Promise.reject(new TypeError("Failed to fetch"));
  first.client.conversation("c1").mark("m1");
  await pass(0);
  second.client.conversation("c1").mark("m2");
  await pass(1_000);
  expect(second.client.conversation("c1").waiting).toEqual([]);
  expect(kept.texts).toEqual({ [KEY]: JSON.stringify(['["c1","m1"]']) });
  // Once it is sent, by whomever, it goes.
  first.server.answers = undefined;
  await pass(5_000);
  expect(kept.texts).toEqual({ [KEY]: "[]" });
});

test("the same user of another server keeps marks of their own", async () => {
  const kept = store();
  keeping(kept).client.conversation("c1").mark("m1");
  const other = { url: "http://elsewhere", user: "alice", fetch: new Server().fetch, environment: new FakeScreen() };
  createKeepingClient(kept, other).conversation("c1").mark("m2");
  await pass(0);
  expect(Object.keys(kept.texts)).toEqual([KEY, "seenby:http://elsewhere:alice"]);
});

test("a listener that throws does not keep marks from being kept", async () => {
  const kept = store();
  const { client, waiting } = keeping(kept);
  waiting.mockImplementation(() => {
    throw new Error("the app's");
  });
  client.conversation("c1").mark("m1");
  await expect(pass(0)).rejects.toThrow("the app's");
  expect(kept.texts).toEqual({ [KEY]: JSON.stringify(['["c1","m1"]']) });
});

test("what is no id is no row of the chat list, and is told", async () => {
  const { server, client, errors } = world();
  server.answers = () => json({ receipts: [], etag: "q1", poll: null });
  const list = chats(client);
  for (const [conversation, message] of [["..", "m1"], ["c1", ""], ["c1", "m1"]] as const) list.watch(conversation, message, () => {});
  await pass(60);
  expect(server.calls.map(({ body }) => body.pulls)).toEqual([[{ conversation: "c1", messages: ["m1"] }]]);
  expect(errors).toMatchObject([{ code: "bad-id" }, { code: "bad-id" }]);
});

test("a list of what is no message is an error, and no request for something else", async () => {
  const { server, conversation } = world();
  await expect(all(readers(conversation, ".."))).rejects.toMatchObject({ code: "bad-id" });
  expect(server.calls).toEqual([]);
});

test("a store that is full or forbidden stops no mark", async () => {
  const throws = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const { server, client } = keeping({ getItem: throws, setItem: throws });
  client.conversation("c1").mark("m1");
  await pass(1_000);
  client.conversation("c1").mark("m2");
  await pass(1_000);
  expect(server.calls).toHaveLength(2);
});
