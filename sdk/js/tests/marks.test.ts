/** The reader's side: what counts as seen, and how it gets to the server. */
import { afterEach, expect, test, vi } from "vitest";
import { badge, markUpTo, UpTo } from "../src/up-to.js";
import { json, later, numbered, pass, problem, restore, world } from "./world.js";

afterEach(restore);

const offline = () => Promise.reject(new TypeError("Failed to fetch"));
const bodies = ({ calls }: { calls: { body: unknown }[] }) => calls.map(({ body }) => body);

/** The messages that were marked once so many milliseconds had passed on screen. */
async function markedAfter(ms: number): Promise<readonly string[]> {
  const { screen, conversation } = world();
  conversation.markWhenSeen("m1", "m1");
  screen.show("m1");
  await pass(ms);
  return conversation.waiting;
}

test("a message is seen after half a second on screen, and not before", async () => {
  expect(await markedAfter(499)).toEqual([]);
  expect(await markedAfter(500)).toEqual(["m1"]);
});

test("the half second has no break: neither off screen nor hidden", async () => {
  const { screen, conversation } = world();
  conversation.markWhenSeen("m1", "m1");
  screen.show("m1");
  await pass(499);
  screen.hide("m1");
  await pass(5_000);
  screen.show("m1");
  await pass(499);
  screen.change("hidden");
  await pass(5_000);
  screen.change("shown");
  await pass(499);
  expect(conversation.waiting).toEqual([]);
  // To hear the same again is no break.
  screen.show("m1");
  await pass(1);
  expect(conversation.waiting).toEqual(["m1"]);
});

test("what comes on screen of a hidden page is not seen", async () => {
  const { server, screen, conversation } = world();
  screen.visible = false;
  conversation.markWhenSeen("m1");
  await pass(10_000);
  expect(server.calls).toEqual([]);
  screen.change("shown");
  await pass(1_500);
  expect(bodies(server)).toEqual([{ reader: "alice", messages: ["m1"] }]);
});

test("who leaves before the time marks nothing, and leaves nothing behind", async () => {
  const { server, screen, conversation } = world();
  const leave = conversation.markWhenSeen("m1", "m1");
  screen.show("m1");
  await pass(499);
  leave();
  leave();
  await pass(10_000);
  expect(server.calls).toEqual([]);
  expect(screen.targets.get("m1")!.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("a message is marked once, and anew in another edition", async () => {
  const { server, conversation } = world();
  for (const edition of [1, 1, 2]) {
    conversation.markWhenSeen("m1", undefined, { edition });
    await pass(5_000);
  }
  expect(bodies(server)).toEqual([
    { reader: "alice", messages: ["m1"] },
    { reader: "alice", messages: ["m1"] },
  ]);
});

test("1,000 messages are known to be marked, and with one more it begins anew", async () => {
  const { server, conversation } = world();
  for (const message of numbered(1_000)) conversation.markWhenSeen(message);
  await pass(5_000);
  const before = server.calls.length;
  conversation.markWhenSeen("m1");
  await pass(5_000);
  expect(server.calls).toHaveLength(before);
  conversation.markWhenSeen("m1001");
  await pass(5_000);
  conversation.markWhenSeen("m1");
  conversation.markWhenSeen("m1001");
  await pass(5_000);
  expect(bodies(server).slice(before)).toEqual([
    { reader: "alice", messages: ["m1001"] },
    { reader: "alice", messages: ["m1"] },
  ]);
});

test("marks are gathered for a second, from the first of them", async () => {
  const { server, conversation } = world();
  conversation.mark("m1");
  await pass(600);
  conversation.mark("m2");
  await pass(399);
  expect(server.calls).toEqual([]);
  await pass(1);
  expect(server.calls).toMatchObject([{ method: "POST", path: "conversations/c1/marks" }]);
  expect(bodies(server)).toEqual([{ reader: "alice", messages: ["m1", "m2"] }]);
});

test("a hundred marks go at once, and one less after a second", async () => {
  const { server, conversation } = world();
  for (const message of numbered(99)) conversation.mark(message);
  await pass(999);
  expect(server.calls).toEqual([]);
  conversation.mark("m-last");
  await pass(0);
  expect(bodies(server)).toEqual([{ reader: "alice", messages: [...numbered(99), "m-last"] }]);
});

test("no request has more than 100 marks", async () => {
  const { server, conversation } = world();
  for (const message of numbered(201)) conversation.mark(message);
  await pass(1_000);
  expect(bodies(server).map((body: any) => body.messages.length)).toEqual([100, 100, 1]);
});

test("marks that come while others are under way are gathered as well, and never is there a second request", async () => {
  const { server, conversation } = world();
  const slow = later();
  server.answers = () => slow.answer;
  conversation.mark("m1");
  await pass(1_000);
  for (const message of numbered(120, 2)) conversation.mark(message);
  conversation.mark("m1");
  await pass(3_000);
  expect(server.calls).toHaveLength(1);
  server.answers = undefined;
  slow.give(json({ marked: 1, already: 0, refused: [] }));
  await pass(1_000);
  // Of the first one there is a second mark.
  expect(bodies(server).map((body: any) => body.messages.length)).toEqual([1, 100, 21]);
  conversation.mark("m200");
  await pass(999);
  expect(server.calls).toHaveLength(3);
  await pass(1);
  expect(server.calls).toHaveLength(4);
  expect(server.mostAtOnce).toBe(1);
});

test("a client without a user leaves the reader to the token", async () => {
  const { server, conversation } = world({ user: undefined as never });
  conversation.mark("m1");
  await pass(1_000);
  expect(JSON.stringify(server.calls[0]!.body)).toBe('{"messages":["m1"]}');
});

test("a run from the conversation's first message is sent as up to its last", async () => {
  const { server, conversation } = world({ marks: UpTo });
  conversation.mark("m2", "m1");
  conversation.mark("m1", null);
  conversation.mark("m3", "m2");
  await pass(1_000);
  expect(bodies(server)).toEqual([{ reader: "alice", up_to: "m3" }]);
  // It goes on from there.
  conversation.mark("m5", "m4");
  conversation.mark("m4", "m3");
  await pass(1_000);
  expect(bodies(server)[1]).toEqual({ reader: "alice", up_to: "m5" });
});

test("a run with a hole, or one that begins nobody knows where, is sent message by message", async () => {
  const { server, conversation } = world({ marks: UpTo });
  conversation.mark("m1", null);
  conversation.mark("m3", "m2");
  await pass(1_000);
  conversation.mark("m8", "m7");
  conversation.mark("m9", "m8");
  await pass(1_000);
  conversation.mark("m10");
  await pass(1_000);
  expect(bodies(server)).toEqual([
    { reader: "alice", messages: ["m1", "m3"] },
    { reader: "alice", messages: ["m8", "m9"] },
    { reader: "alice", messages: ["m10"] },
  ]);
});

test("messages that each name another before them, in a ring, end the search for a run", async () => {
  const { server, conversation } = world({ marks: UpTo });
  server.answers = () => json({ reader: "alice", unread: 9, first_unread: "m2" });
  await badge(conversation);
  server.answers = undefined;
  conversation.mark("m2", "m3");
  conversation.mark("m3", "m2");
  await pass(1_000);
  expect(bodies(server).slice(1)).toEqual([{ reader: "alice", up_to: "m3" }]);
});

test("the badge says what is unread, and from where up to says the same", async () => {
  const { server, conversation } = world({ marks: UpTo });
  server.answers = ({ path }) =>
    path.includes("/readers/")
      ? json({ reader: "alice", unread: 2, first_unread: "m7" })
      : json({ marked: 2, already: 0, refused: [] });
  expect(await badge(conversation)).toEqual({ unread: 2, firstUnread: "m7" });
  expect(server.calls[0]!.path).toBe("conversations/c1/readers/alice");
  conversation.mark("m8", "m7");
  conversation.mark("m7", "m6");
  await pass(1_000);
  expect(bodies(server)[1]).toEqual({ reader: "alice", up_to: "m8" });
  server.answers = () => json({ reader: "alice", unread: 0 });
  expect(await badge(conversation)).toEqual({ unread: 0, firstUnread: undefined });
});

test("up to an unknown message marks nothing, and those before it are sent again without it", async () => {
  const { server, conversation, errors } = world({ marks: UpTo });
  server.answers = ({ body }) =>
    json({ marked: 0, already: 0, refused: body.up_to === "m3" ? [{ message: "m3", code: "unknown-message" }] : [] });
  conversation.mark("m1", null);
  conversation.mark("m2", "m1");
  conversation.mark("m3", "m2");
  await pass(5_000);
  expect(bodies(server)).toEqual([
    { reader: "alice", up_to: "m3" },
    { reader: "alice", messages: ["m1", "m2"] },
  ]);
  expect(errors).toMatchObject([{ status: 200, code: "unknown-message", message: "no mark of 'm3'", isPassing: false }]);
  expect(conversation.waiting).toEqual([]);
});

test("an answer to a mark of a message does not end an \"up to\" of it", async () => {
  const { server, conversation } = world({ marks: UpTo });
  const slow = later();
  server.answers = () => slow.answer;
  conversation.mark("m9");
  await pass(1_000);
  markUpTo(conversation, "m9");
  server.answers = undefined;
  slow.give(json({ marked: 1, already: 0, refused: [] }));
  await pass(2_000);
  expect(bodies(server)).toEqual([
    { reader: "alice", messages: ["m9"] },
    { reader: "alice", up_to: "m9" },
  ]);
  expect(conversation.waiting).toEqual([]);
});

test("a mark of a message that waits for an \"up to\" does not take its place", async () => {
  const { server, conversation } = world({ marks: UpTo });
  markUpTo(conversation, "m9");
  conversation.mark("m9");
  await pass(1_000);
  expect(bodies(server)).toEqual([{ reader: "alice", up_to: "m9" }]);
  conversation.mark("m9");
  await pass(1_000);
  expect(bodies(server)[1]).toEqual({ reader: "alice", messages: ["m9"] });
});

test("a run that is refused goes message by message, a hundred in a request", async () => {
  const { server, conversation, errors } = world({ marks: UpTo });
  server.answers = ({ body }) =>
    json({ marked: 0, already: 0, refused: (body.messages ?? [body.up_to]).map((message: string) => ({ message, code: "unknown-message" })) });
  numbered(2_000).forEach((message, at, all) => conversation.mark(message, all[at - 1] ?? null));
  await pass(30_000);
  expect(server.calls).toHaveLength(21);
  expect(errors).toHaveLength(2_000);
  expect(conversation.waiting).toEqual([]);
  // After a success a run is one again.
  server.answers = undefined;
  conversation.mark("n1");
  await pass(1_000);
  conversation.mark("n2", null);
  await pass(1_000);
  expect(bodies(server).at(-1)).toEqual({ reader: "alice", up_to: "n2" });
});

test("100 marks \"up to\" may wait, and one more is refused", async () => {
  const { server, conversation, errors } = world({ marks: UpTo });
  for (const message of numbered(100)) markUpTo(conversation, message);
  markUpTo(conversation, "m100");
  expect(errors).toEqual([]);
  markUpTo(conversation, "m101");
  expect(errors).toMatchObject([{ code: "too-many-items" }]);
  await pass(5_000);
  expect(server.calls).toHaveLength(100);
  // Those that arrived make room.
  markUpTo(conversation, "m101");
  await pass(1_000);
  expect(bodies(server).at(-1)).toEqual({ reader: "alice", up_to: "m101" });
});

test("who asks for an \"up to\" of a client without it, or a badge of nobody, is told so", async () => {
  const { server, conversation } = world({ user: undefined as never });
  expect(() => markUpTo(conversation, "m1")).toThrow("marks: UpTo");
  await expect(badge(conversation)).rejects.toMatchObject({ code: "bad-request" });
  expect(server.calls).toEqual([]);
});

test("one mark of what is no id keeps no other from the server", async () => {
  const { server, conversation, errors } = world({ marks: UpTo });
  for (const message of ["m1", "..", "\ud800", "m2"]) conversation.mark(message);
  markUpTo(conversation, "");
  await pass(1_000);
  expect(bodies(server)).toEqual([{ reader: "alice", messages: ["m1", "m2"] }]);
  expect(errors).toMatchObject([{ code: "bad-id" }, { code: "bad-id" }, { code: "bad-id" }]);
});

test("a mark of a new edition outlives the answer to that of the old one", async () => {
  const { server, conversation } = world();
  const slow = later();
  server.answers = () => slow.answer;
  conversation.markWhenSeen("m1", undefined, { edition: 1 });
  await pass(1_500);
  conversation.markWhenSeen("m1", undefined, { edition: 2 });
  await pass(500);
  server.answers = undefined;
  slow.give(json({ marked: 1, already: 0, refused: [] }));
  await pass(2_000);
  expect(server.calls).toHaveLength(2);
  expect(conversation.waiting).toEqual([]);
});

test.each([
  ["refused", () => json({ marked: 0, already: 0, refused: [{ message: "m1", code: "unknown-message" }] })],
  ["let go", () => problem(403, "not-allowed")],
])("a message whose mark was %s is marked when it is seen again", async (_, answer) => {
  const { server, conversation } = world();
  server.answers = answer;
  conversation.markWhenSeen("m1");
  await pass(2_000);
  server.answers = undefined;
  conversation.markWhenSeen("m1");
  await pass(2_000);
  conversation.markWhenSeen("m1");
  await pass(2_000);
  expect(server.calls).toHaveLength(2);
});

test("an answer that says nothing of refusals refuses nothing", async () => {
  const { server, conversation, errors } = world();
  server.answers = () => json({ marked: 1 });
  conversation.mark("m1");
  await pass(5_000);
  expect([conversation.waiting, errors, server.calls.length]).toEqual([[], [], 1]);
});

test("that there is a network again does not hurry those whom a server told to wait", async () => {
  const { server, screen, conversation } = world();
  server.answers = () => problem(503, "overloaded", { "Retry-After": "600" });
  conversation.mark("m1");
  await pass(1_000);
  for (let times = 0; times < 5; times += 1) {
    screen.change("online");
    await pass(1_000);
  }
  expect(server.calls).toHaveLength(1);
  await pass(595_000);
  expect(server.calls).toHaveLength(2);
});

test("what is refused among others is told, and not sent again", async () => {
  const { server, conversation, errors } = world();
  server.answers = () => json({ marked: 1, already: 0, refused: [{ message: "m2", code: "unknown-message" }] });
  conversation.mark("m1");
  conversation.mark("m2");
  await pass(10_000);
  expect(server.calls).toHaveLength(1);
  expect(errors).toMatchObject([{ code: "unknown-message", message: "no mark of 'm2'" }]);
});

test("markUpTo marks all up to a message, also offline and later", async () => {
  const { server, screen, conversation } = world({ marks: UpTo });
  server.answers = offline;
  markUpTo(conversation, "m9");
  await pass(1_000);
  server.answers = undefined;
  screen.change("online");
  await pass(0);
  expect(bodies(server)).toEqual([
    { reader: "alice", up_to: "m9" },
    { reader: "alice", up_to: "m9" },
  ]);
  // From there on up to says the same.
  conversation.mark("m11", "m10");
  conversation.mark("m10", "m9");
  await pass(1_000);
  expect(bodies(server)[2]).toEqual({ reader: "alice", up_to: "m11" });
});

test("offline the marks are kept and tried again, ever less often, and at once when there is a network", async () => {
  const { server, screen, conversation, errors } = world({}, 1);
  server.answers = offline;
  conversation.mark("m1");
  await pass(15_000);
  expect(server.times).toEqual([1_000, 3_000, 7_000, 15_000]);
  expect(errors).toHaveLength(4);
  expect(conversation.waiting).toEqual(["m1"]);
  for (const message of numbered(150, 2)) conversation.mark(message);
  await pass(0);
  expect(server.calls).toHaveLength(4);
  server.answers = undefined;
  screen.change("online");
  await pass(0);
  expect(bodies(server).slice(4)).toEqual([
    { reader: "alice", messages: numbered(100) },
    { reader: "alice", messages: numbered(51, 101) },
  ]);
  expect(conversation.waiting).toEqual([]);
  // From here on all is as at the beginning.
  conversation.mark("m200");
  await pass(500);
  screen.change("online");
  await pass(499);
  expect(server.calls).toHaveLength(6);
  server.answers = offline;
  await pass(1);
  expect(server.calls).toHaveLength(7);
  await pass(2_000);
  expect(server.calls).toHaveLength(8);
});

test("marks too are backed off from with full jitter, and obey Retry-After", async () => {
  const { server, conversation } = world({}, 0);
  server.answers = () => problem(503, "overloaded", { "Retry-After": "9" });
  conversation.mark("m1");
  await pass(9_999);
  expect(server.times).toEqual([1_000]);
  server.answers = undefined;
  await pass(1);
  expect(server.times).toEqual([1_000, 10_000]);
});

test("what the server will never take is told and let go; what it may take later is kept", async () => {
  for (const [status, kept] of [[400, 0], [403, 0], [401, 1], [408, 1], [429, 1], [500, 1], [503, 1]]) {
    const { server, conversation, errors } = world();
    server.answers = () => problem(status!, "it");
    conversation.mark("m1");
    await pass(1_000);
    expect([status, conversation.waiting.length, errors[0]?.status]).toEqual([status, kept, status]);
  }
});

test("10,000 marks may wait, and one more is refused", async () => {
  const { server, conversation, errors } = world();
  server.answers = offline;
  conversation.mark("m1");
  await pass(1_000);
  errors.length = 0;
  for (const message of numbered(9_999, 2)) conversation.mark(message);
  conversation.mark("m1");
  expect(errors).toEqual([]);
  conversation.mark("m10001");
  expect(errors).toMatchObject([{ code: "too-many-items", message: "no mark of 'm10001'" }]);
  expect(conversation.waiting).toHaveLength(10_000);
});

test("a page that hides sends its marks before anything else happens, and so that they outlive it", async () => {
  const { server, screen, conversation } = world({ token: () => "t1" });
  conversation.mark("m0");
  await pass(1_000);
  for (const message of numbered(3)) conversation.mark(message);
  screen.change("hidden");
  // Not a promise was waited for.
  expect(bodies(server)[1]).toEqual({ reader: "alice", messages: numbered(3) });
  expect(server.calls[1]!.init.keepalive).toBe(true);
  expect(server.calls[1]!.headers.Authorization).toBe("Bearer t1");
  expect(server.calls[0]!.init.keepalive).toBe(false);
  await pass(60_000);
  expect(server.calls).toHaveLength(2);
});

test("marks under way when the page hides go again, since what is under way may not outlive it", async () => {
  const { server, screen, conversation } = world();
  const slow = later();
  server.answers = ({ init }) => (init.keepalive ? json({ marked: 1, already: 0, refused: [] }) : slow.answer);
  conversation.mark("m1");
  await pass(1_000);
  screen.change("hidden");
  expect(bodies(server)).toEqual([
    { reader: "alice", messages: ["m1"] },
    { reader: "alice", messages: ["m1"] },
  ]);
  slow.give(json({ marked: 0, already: 1, refused: [] }));
  await pass(60_000);
  expect(server.calls).toHaveLength(2);
  expect(conversation.waiting).toEqual([]);
});

test("a page that hides without a network keeps its marks, and sends them when it is back", async () => {
  const { server, screen, conversation } = world({}, 0.5);
  server.answers = offline;
  conversation.mark("m1");
  screen.change("hidden");
  await pass(0);
  expect(conversation.waiting).toEqual(["m1"]);
  server.answers = undefined;
  await pass(1_000);
  expect(conversation.waiting).toEqual([]);
});

test("a page that hides with nothing to say says nothing", async () => {
  const { server, screen } = world();
  screen.change("hidden");
  expect(server.calls).toEqual([]);
});

test("flush is done when the server has all marks, also those under way", async () => {
  const { server, conversation } = world();
  const slow = later();
  server.answers = () => slow.answer;
  conversation.mark("m1");
  const first = conversation.flush();
  await pass(0);
  conversation.mark("m2");
  const second = vi.fn();
  void conversation.flush().then(second);
  await pass(500);
  expect(second).not.toHaveBeenCalled();
  server.answers = undefined;
  slow.give(json({ marked: 1, already: 0, refused: [] }));
  await first;
  await pass(0);
  expect(second).toHaveBeenCalled();
  expect(bodies(server)).toEqual([
    { reader: "alice", messages: ["m1"] },
    { reader: "alice", messages: ["m2"] },
  ]);
  await conversation.flush();
  expect(server.calls).toHaveLength(2);
});

test("a flush of nothing leaves the way free for marks that come later", async () => {
  const { server, conversation } = world();
  await conversation.flush();
  conversation.mark("m1");
  await pass(1_000);
  expect(server.calls).toHaveLength(1);
});

test("closing sends what waits, once, and holds nobody up without a network", async () => {
  const { server, client, conversation } = world();
  conversation.mark("m1");
  client.conversation("c2").mark("m2");
  await client.close();
  expect(server.calls.map(({ path }) => path)).toEqual(["conversations/c1/marks", "conversations/c2/marks"]);
  const offlineWorld = world();
  offlineWorld.server.answers = offline;
  offlineWorld.conversation.mark("m1");
  await offlineWorld.client.close();
  // Nothing that would keep a process from its end.
  expect(vi.getTimerCount()).toBe(0);
  expect(offlineWorld.conversation.waiting).toEqual(["m1"]);
});
