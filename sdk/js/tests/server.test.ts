/** The built package and a real server, on a real clock. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { chats } from "seenby/chats";
import { type Client, createClient, type Options, type Receipts, type SeenbyError } from "seenby";
import { nonReaders, readers } from "seenby/lists";
import { stream } from "seenby/stream";
import { badge, markUpTo, UpTo } from "seenby/up-to";
import { binary, Served, until } from "./served.js";
import { numbered } from "./world.js";

describe.skipIf(!binary)("with a real server", () => {
  const open = new Served("--poll-every", "100ms", "--poll-every-max", "100ms", "--stream-every", "50ms");
  const guarded = new Served();
  const clients: Client[] = [];
  let conversations = 0;

  beforeAll(() => Promise.all([open.start(), guarded.start({ guarded: true })]));
  afterAll(() => Promise.all([open.stop(), guarded.stop()]));
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));

  /** A client that notes the status of each answer, with a conversation of its own. */
  async function begin(served: Served, options: Partial<Options> = {}, ...messages: string[]) {
    const id = `c${(conversations += 1)}`;
    await served.register(id, ...messages);
    const statuses: number[] = [];
    const requests: { url: string; body: any }[] = [];
    const errors: SeenbyError[] = [];
    const noting: typeof fetch = async (url, init) => {
      requests.push({ url: String(url), body: init?.body && JSON.parse(String(init.body)) });
      const answer = await fetch(url, init);
      statuses.push(answer.status);
      return answer;
    };
    const client = createClient({ url: served.url, fetch: noting, onError: (error) => void errors.push(error), ...options });
    clients.push(client);
    return { id, client, conversation: client.conversation(id), statuses, requests, errors };
  }

  test("pulls tell each change, are answered by 304 while there is none, and end when all have read", async () => {
    const { id, conversation, statuses, errors } = await begin(open, {}, "m1", "m2");
    const told: unknown[] = [];
    conversation.watch("m1", (receipts) => told.push(receipts));
    conversation.watch("m2", () => {});
    await until(() => statuses.includes(304));
    await open.mark(id, "bob", "m1");
    await until(() => told.length === 2);
    await open.mark(id, "bob", "m2");
    await open.mark(id, "carol", "m1", "m2");
    await until(() => conversation.receipts("m2")?.read === 2);
    expect(told).toEqual([{ read: 0, of: 2 }, { read: 1, of: 2 }, { read: 2, of: 2 }]);
    expect(errors).toEqual([]);
  });

  test("an unknown message is told as nothing, without an error", async () => {
    const { conversation, errors } = await begin(open);
    const told = vi.fn();
    conversation.watch("m1", told);
    await until(() => told.mock.calls.length);
    expect(told.mock.calls).toEqual([[undefined]]);
    expect(errors).toEqual([]);
  });

  test("100 messages are pulled at once, and of 101 each is told", async () => {
    const { conversation } = await begin(open, {}, ...numbered(101));
    for (const message of numbered(101)) conversation.watch(message, () => {});
    await until(() => numbered(101).every((message) => conversation.receipts(message)));
  });

  test("what was seen is marked, and refusals are told", async () => {
    const { id, conversation, errors } = await begin(open, { user: "bob" }, "m1", "m2");
    conversation.markWhenSeen("m2");
    conversation.markWhenSeen("m9");
    await until(() => errors.length);
    expect(errors).toMatchObject([{ code: "unknown-message", message: "no mark of 'm9'" }]);
    expect(await open.app("GET", `conversations/${id}/messages/m2`)).toMatchObject({ read: 1, of: 2 });
    expect(await badge(conversation)).toEqual({ unread: 1, firstUnread: "m1" });
  });

  test("a run from the first unread is marked by up to", async () => {
    const { id, conversation, requests } = await begin(open, { user: "bob", marks: UpTo }, "m1", "m2", "m3");
    expect(await badge(conversation)).toEqual({ unread: 3, firstUnread: "m1" });
    conversation.mark("m1", null);
    conversation.mark("m2", "m1");
    await conversation.flush();
    expect(requests.at(-1)!.body).toEqual({ reader: "bob", up_to: "m2" });
    expect(await badge(conversation)).toEqual({ unread: 1, firstUnread: "m3" });
    markUpTo(conversation, "m3");
    await conversation.flush();
    expect(await badge(conversation)).toEqual({ unread: 0, firstUnread: undefined });
    expect(await open.app("GET", `conversations/${id}/messages/m3`)).toMatchObject({ read: 1 });
  });

  test("a stream tells each change, takes newcomers in, and ends when all have read", async () => {
    const { id, conversation, statuses, requests, errors } = await begin(open, { source: stream() }, "m1", "m2");
    const told: (Receipts | undefined)[] = [];
    conversation.watch("m1", (receipts) => told.push(receipts));
    await until(() => told.length === 1);
    await open.mark(id, "bob", "m1");
    await until(() => told.length === 2);
    conversation.watch("m2", () => {});
    await until(() => conversation.receipts("m2"));
    await open.mark(id, "carol", "m1");
    await until(() => told.length === 3);
    expect(told.map((receipts) => receipts?.read)).toEqual([0, 1, 2]);
    expect(requests.map(({ url }) => url.replace(/^.*receipts/, ""))).toEqual(["/stream?message=m1", "/stream?message=m2&message=m1"]);
    expect(statuses).toEqual([200, 200]);
    expect(errors).toEqual([]);
  });

  test("a stream of nothing that is known tells that", async () => {
    const { conversation, errors } = await begin(open, { source: stream() });
    const told = vi.fn();
    conversation.watch("m1", told);
    await until(() => told.mock.calls.length);
    expect(told.mock.calls).toEqual([[undefined]]);
    expect(errors).toEqual([]);
  });

  test("lists are walked to their ends", async () => {
    const { id, conversation } = await begin(open, {}, "m1");
    const users = async (parts: AsyncIterable<{ users: readonly string[] }>) => {
      const all: (readonly string[])[] = [];
      for await (const part of parts) all.push(part.users);
      return all;
    };
    expect(await users(nonReaders(conversation, "m1", { limit: 1 }))).toEqual([["bob"], ["carol"]]);
    await open.mark(id, "carol", "m1");
    expect(await users(readers(conversation, "m1"))).toEqual([["carol"]]);
    await expect(users(readers(conversation, "m9"))).rejects.toMatchObject({ status: 404, code: "unknown-message" });
  });

  test("a list of chats is told of changes in each", async () => {
    const one = await begin(open, {}, "m1");
    const other = await begin(open, {}, "m1");
    const list = chats(one.client);
    for (const { id } of [one, other]) list.watch(id, "m1", () => {});
    await until(() => list.receipts(one.id, "m1") && list.receipts(other.id, "m1"));
    await open.mark(other.id, "bob", "m1");
    await until(() => list.receipts(other.id, "m1")?.read === 1);
    expect(list.receipts(one.id, "m1")).toEqual({ read: 0, of: 2 });
    expect(one.errors).toEqual([]);
  });

  test("tokens say who it is, and one that is refused is asked for anew", async () => {
    const tokens = ["nonsense", guarded.token("bob")];
    const token = vi.fn(() => tokens.shift()!);
    const { id, conversation, statuses, errors } = await begin(guarded, { token }, "m1");
    conversation.mark("m1");
    await conversation.flush();
    expect(statuses).toEqual([401, 200]);
    expect(token).toHaveBeenCalledTimes(2);
    expect(errors).toEqual([]);
    expect(await guarded.app("GET", `conversations/${id}/messages/m1`)).toMatchObject({ read: 1 });
  });

  test("who has not sent a message is told nothing of it", async () => {
    const { conversation } = await begin(guarded, { token: () => guarded.token("bob") }, "m1");
    const told = vi.fn();
    conversation.watch("m1", told);
    await until(() => told.mock.calls.length);
    expect(told.mock.calls).toEqual([[undefined]]);
  });

  test("two refused tokens are an error, and marks go on waiting", async () => {
    const { conversation, statuses, errors } = await begin(guarded, { token: () => "nonsense" }, "m1");
    conversation.mark("m1");
    await conversation.flush();
    expect(statuses).toEqual([401, 401]);
    expect(errors).toMatchObject([{ status: 401, code: "unauthenticated" }]);
    expect(conversation.waiting).toEqual(["m1"]);
  });
});
