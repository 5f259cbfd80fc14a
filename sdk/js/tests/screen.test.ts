/** The sender's side: when is asked, for what, and what is told. */
import { afterEach, expect, test, vi } from "vitest";
import { SeenbyError } from "../src/index.js";
import type { Receipts } from "../src/shapes.js";
import { json, later, numbered, pass, problem, restore, world } from "./world.js";

afterEach(restore);

test("one pull asks for all messages that are on screen, and for no other", async () => {
  const { server, screen, conversation } = world();
  for (const message of ["m1", "m2", "m3"]) conversation.watch(message, () => {}, message);
  screen.show("m1", "m3");
  await pass(50);
  expect(server.asked).toEqual([["m1", "m3"]]);
});

test("nothing is asked while nothing is on screen", async () => {
  const { server, conversation } = world();
  conversation.watch("m1", () => {}, "m1");
  conversation.subscribe("m2", () => {});
  await pass(60_000);
  expect(server.calls).toEqual([]);
});

test("pulls follow each other at the server's pace, and end with its window", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(120_000);
  expect(server.times).toEqual([50, 2_050, 4_050, 6_050, 8_050, 10_050, 12_050, 14_050, 16_050, 18_050]);
});

test("a pull that is due at the very end of the window is made, and one past it is not", async () => {
  const pulls = async (for_ms: number) => {
    const { server, conversation } = world();
    server.counts.set("m1", { read: 1, of: 3 });
    server.poll = { every_ms: 2_000, for_ms };
    conversation.watch("m1", () => {});
    await pass(60_000);
    return server.times;
  };
  expect(await pulls(4_050)).toEqual([50, 2_050, 4_050]);
  expect(await pulls(4_049)).toEqual([50, 2_050]);
});

test.each([
  ["no chance", 0, 2_050],
  ["all of it", 1, 2_250],
])("the jitter adds 0 to 10 %% of the pace: with %s", async (_, chance, second) => {
  const { server, conversation } = world({}, chance);
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(second - 1);
  expect(server.times).toEqual([50]);
  await pass(1);
  expect(server.times).toEqual([50, second]);
});

test("each message has its own window, from when it came on screen", async () => {
  const { server, screen, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 }).set("m2", { read: 1, of: 3 });
  conversation.watch("m1", () => {}, "m1");
  conversation.watch("m2", () => {}, "m2");
  screen.show("m1");
  await pass(10_000);
  screen.show("m2");
  await pass(60_000);
  const last = (message: string) => server.calls.filter(({ query }) => query.getAll("message").includes(message)).at(-1)!.at;
  expect(last("m1")).toBeLessThanOrEqual(20_000);
  expect(last("m1")).toBeGreaterThan(18_000);
  expect(last("m2")).toBeLessThanOrEqual(30_000);
  expect(last("m2")).toBeGreaterThan(28_000);
});

test("what leaves the screen is asked for no more, and anew when it comes back", async () => {
  const { server, screen, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {}, "m1");
  screen.show("m1");
  await pass(100);
  screen.hide("m1");
  await pass(60_000);
  expect(server.times).toEqual([50]);
  screen.show("m1");
  await pass(60_000);
  expect(server.times.slice(1)).toHaveLength(10);
});

test("a hidden page asks for nothing, and begins anew when it is shown", async () => {
  const { server, screen, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(19_000);
  screen.change("hidden");
  await pass(60_000);
  expect(server.calls).toHaveLength(10);
  screen.change("shown");
  await pass(60_000);
  expect(server.calls).toHaveLength(20);
});

test("a page that was never shown asks for nothing", async () => {
  const { server, screen, conversation } = world();
  screen.visible = false;
  conversation.watch("m1", () => {});
  await pass(60_000);
  expect(server.calls).toEqual([]);
});

test("where poll is null nothing is asked any more, until the next look", async () => {
  const { server, screen, conversation } = world();
  server.counts.set("m1", { read: 3, of: 3 });
  server.poll = null;
  conversation.watch("m1", () => {}, "m1");
  screen.show("m1");
  await pass(60_000);
  expect(server.calls).toHaveLength(1);
  screen.hide("m1");
  screen.show("m1");
  await pass(60_000);
  expect(server.calls).toHaveLength(2);
});

test("a 304 without a pace says the same as poll null", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 3, of: 3 });
  conversation.watch("m1", () => {});
  await pass(100);
  server.poll = null;
  await pass(60_000);
  expect(server.calls).toHaveLength(2);
});

test("never are two pulls under way at once, however long one takes", async () => {
  const { server, screen, conversation } = world({ timeoutMs: 60_000 });
  const slow = later();
  server.answers = () => slow.answer;
  conversation.watch("m1", () => {});
  conversation.watch("m2", () => {}, "m2");
  await pass(3_000);
  screen.show("m2");
  screen.change("hidden");
  screen.change("shown");
  await pass(3_000);
  expect(server.calls).toHaveLength(1);
  server.answers = undefined;
  slow.give(json({ receipts: [], poll: server.poll }));
  await pass(1_000);
  expect(server.asked.at(-1)).toEqual(["m1", "m2"]);
  expect(server.mostAtOnce).toBe(1);
});

test.each([
  ["ten seconds", {}, 10_000],
  ["as long as the app says", { timeoutMs: 1_000 }, 1_000],
])("a request that takes too long is given up: after %s", async (_, options, ms) => {
  const { server, conversation, errors } = world(options);
  server.answers = () => new Promise(() => {});
  conversation.watch("m1", () => {});
  await pass(50 + ms - 1);
  expect(errors).toEqual([]);
  await pass(1);
  expect(errors).toMatchObject([{ status: 0, code: "network" }]);
});

test("what is known is named, and then the changes alone are asked for", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  const told: unknown[] = [];
  conversation.watch("m1", (receipts) => told.push(receipts));
  await pass(2_100);
  server.counts.set("m1", { read: 2, of: 3 });
  await pass(2_000);
  const [first, second, third] = server.calls;
  // A cache on the way must not answer for us: changes are asked for with what is known, never without.
  expect([first!.query.get("changed"), first!.headers["If-None-Match"]]).toEqual([null, undefined]);
  expect(second!.query.get("changed")).toBe("1");
  expect(second!.headers["If-None-Match"]).toMatch(/^".*'read':1.*"$/);
  expect(third!.headers["If-None-Match"]).toBe(second!.headers["If-None-Match"]);
  server.counts.set("m1", { read: 2, of: 2 });
  await pass(2_000);
  expect(told).toEqual([{ read: 1, of: 3 }, { read: 2, of: 3 }, { read: 2, of: 2 }]);
});

test("a weak entity tag, as some proxies make of it, is sent back as a strong one", async () => {
  const { server, conversation } = world();
  server.answers = () => json({ receipts: [], poll: server.poll }, 200, { ETag: 'W/"abc"' });
  conversation.watch("m1", () => {});
  await pass(2_100);
  expect(server.calls[1]!.headers["If-None-Match"]).toBe('"abc"');
});

test("a stretched pace is obeyed, from a 304 and from a body", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(100);
  server.poll = { every_ms: 7_000, for_ms: 20_000 };
  await pass(8_900);
  expect(server.times).toEqual([50, 2_050]);
  server.counts.set("m1", { read: 2, of: 3 });
  server.poll = { every_ms: 3_500, for_ms: 20_000 };
  await pass(8_000);
  expect(server.times).toEqual([50, 2_050, 9_050, 12_550, 16_050]);
});

test("a pace that a 304 rounds down to nothing is no reason to ask without end", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(100);
  server.poll = { every_ms: 500, for_ms: 20_000 };
  await pass(2_950);
  expect(server.times).toEqual([50, 2_050, 3_050]);
});

test.each([
  ["in seconds", "7"],
  ["as a date", "Tue, 14 Nov 2023 22:13:27 GMT"],
])("Retry-After %s is obeyed, also by a new look", async (_, value) => {
  const { server, screen, conversation, errors } = world();
  server.answers = () => problem(429, "too-many-requests", { "Retry-After": value });
  conversation.watch("m1", () => {});
  conversation.watch("m2", () => {}, "m2");
  await pass(50);
  const [{ retryAfterMs }] = errors as [SeenbyError];
  expect(retryAfterMs).toBeGreaterThan(6_900);
  expect(retryAfterMs).toBeLessThanOrEqual(7_000);
  screen.show("m2");
  screen.change("hidden");
  screen.change("shown");
  screen.change("online");
  await pass(retryAfterMs - 1);
  expect(server.calls).toHaveLength(1);
  await pass(1);
  expect(server.calls).toHaveLength(2);
});

test.each(["", "soon", "-5", "0"])("a Retry-After of '%s' says nothing", async (value) => {
  const { server, conversation, errors } = world();
  server.answers = () => problem(503, "overloaded", { "Retry-After": value });
  conversation.watch("m1", () => {});
  await pass(50);
  expect(errors).toMatchObject([{ retryAfterMs: 0 }]);
});

test("a Retry-After of more than an hour is taken for an hour", async () => {
  const { server, conversation, errors } = world();
  server.answers = () => problem(503, "overloaded", { "Retry-After": "999999" });
  conversation.watch("m1", () => {});
  await pass(50);
  expect(errors).toMatchObject([{ retryAfterMs: 3_600_000 }]);
});

test("errors are backed off from with full jitter, from nothing beyond the pace to twice as much each time", async () => {
  const times = async (chance: number) => {
    const { server, conversation } = world({}, chance);
    server.poll = { every_ms: 2_000, for_ms: 600_000 };
    server.counts.set("m1", { read: 1, of: 3 });
    conversation.watch("m1", () => {});
    await pass(60);
    server.answers = () => problem(503, "overloaded");
    await pass(120_000);
    return server.times.map((at, index, all) => at - (all[index - 1] ?? 0)).slice(1, 7);
  };
  expect(await times(0)).toEqual([2_000, 2_000, 2_000, 2_000, 2_000, 2_000]);
  expect(await times(1)).toEqual([2_200, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("an answer ends the backing off", async () => {
  const { server, conversation } = world({}, 1);
  server.poll = { every_ms: 2_000, for_ms: 600_000 };
  server.counts.set("m1", { read: 1, of: 3 });
  server.answers = () => problem(500, "internal");
  conversation.watch("m1", () => {});
  await pass(50 + 4_000);
  server.answers = undefined;
  await pass(8_000);
  expect(server.times).toEqual([50, 4_050, 12_050]);
  server.answers = () => problem(500, "internal");
  await pass(2_200 + 4_000);
  expect(server.times.slice(3)).toEqual([14_250, 18_250]);
});

test("without a network it waits, and wakes as soon as there is one", async () => {
  const { server, screen, conversation, errors } = world({}, 1);
  server.answers = () => Promise.reject(new TypeError("Failed to fetch"));
  conversation.watch("m1", () => {});
  await pass(14_050);
  expect(server.times).toEqual([50, 4_050, 12_050]);
  expect(errors[0]).toMatchObject({ status: 0, code: "network", isPassing: true });
  await pass(10_000);
  server.answers = undefined;
  screen.change("online");
  await pass(50);
  expect(server.times.at(-1)).toBe(24_100);
});

test("that there is a network again means nothing to who never lacked it", async () => {
  const { server, screen, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(30_000);
  screen.change("online");
  await pass(30_000);
  expect(server.calls).toHaveLength(10);
});

test("what is refused for good is not asked again in this look", async () => {
  const { server, screen, conversation, errors } = world();
  server.answers = () => problem(403, "not-allowed");
  conversation.watch("m1", () => {}, "m1");
  screen.show("m1");
  await pass(60_000);
  expect(server.calls).toHaveLength(1);
  expect(errors).toMatchObject([{ status: 403, code: "not-allowed", message: "it is not-allowed", isPassing: false }]);
  screen.hide("m1");
  screen.show("m1");
  await pass(10_000);
  expect(server.calls).toHaveLength(2);
});

test("a proxy's answer in words of its own is an error as any other", async () => {
  const { server, conversation, errors } = world();
  for (const body of ["<html>", "null"]) {
    server.answers = () => new Response(body, { status: 502 });
    conversation.watch(body, () => {});
    await pass(5_000);
  }
  expect(errors[0]).toMatchObject({ status: 502, code: "http", message: "status 502", isPassing: true });
  expect(errors.at(-1)).toMatchObject({ status: 502, code: "http" });
});

test("100 messages are one pull", async () => {
  const { server, conversation } = world();
  for (const message of numbered(100)) conversation.watch(message, () => {});
  await pass(60);
  expect(server.asked).toEqual([numbered(100)]);
  await pass(1_000);
  expect(server.calls).toHaveLength(1);
});

test("of 101 messages each has its turn, and none is asked for alone", async () => {
  const { server, conversation } = world();
  server.poll = { every_ms: 2_000, for_ms: 20_000 };
  for (const message of numbered(101)) {
    server.counts.set(message, { read: 1, of: 3 });
    conversation.watch(message, () => {});
  }
  await pass(60);
  expect(server.asked).toEqual([numbered(100)]);
  await pass(500);
  expect(server.asked[1]).toHaveLength(100);
  expect(server.asked[1]).toContain("m101");
  await pass(2_000);
  expect(server.asked[2]).toContain("m100");
  expect(server.calls.every(({ query }) => query.getAll("message").length === 100)).toBe(true);
});

test("a newcomer is asked for before the others' turn, but not more often than four times their pace", async () => {
  const { server, screen, conversation } = world();
  for (const message of numbered(4)) {
    server.counts.set(message, { read: 1, of: 3 });
    conversation.watch(message, () => {}, message);
  }
  screen.show("m1");
  await pass(1_000);
  screen.show("m2");
  await pass(50);
  expect(server.times).toEqual([50, 1_050]);
  screen.show("m3");
  await pass(100);
  screen.show("m4");
  await pass(400);
  expect(server.times).toEqual([50, 1_050, 1_550]);
  expect([...server.asked[2]!].sort()).toEqual(numbered(4));
});

test("those who come one after the other do not keep each other waiting", async () => {
  const { server, screen, conversation } = world();
  for (const message of numbered(10)) conversation.watch(message, () => {}, message);
  // As one scrolls up.
  for (const message of numbered(10).reverse()) {
    screen.show(message);
    await pass(20);
  }
  expect(server.times[0]).toBe(50);
});

test("a message that is unknown to the server is told as nothing", async () => {
  const { server, conversation } = world();
  server.poll = null;
  const told = vi.fn();
  conversation.watch("m1", told);
  await pass(50);
  expect(told.mock.calls).toEqual([[undefined]]);
  expect(conversation.receipts("m1")).toBeUndefined();
});

test("two who watch one message cost one pull, are both told, and go each by itself", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  const [one, two] = [vi.fn(), vi.fn()];
  const leave = conversation.watch("m1", one);
  const leaveToo = conversation.watch("m1", two);
  await pass(50);
  expect(server.asked).toEqual([["m1"]]);
  expect(one.mock.calls).toEqual([[{ read: 1, of: 3 }]]);
  expect(two.mock.calls).toEqual(one.mock.calls);
  leave();
  leave();
  server.counts.set("m1", { read: 2, of: 3 });
  await pass(2_000);
  expect(one).toHaveBeenCalledTimes(1);
  expect(two).toHaveBeenCalledTimes(2);
  leaveToo();
  await pass(60_000);
  expect(server.calls).toHaveLength(2);
});

test("one listener may watch twice, and is told once for each", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  const told = vi.fn();
  const leave = conversation.watch("m1", told);
  conversation.watch("m1", told);
  await pass(50);
  expect(told).toHaveBeenCalledTimes(2);
  leave();
  server.counts.set("m1", { read: 2, of: 3 });
  await pass(2_000);
  expect(told).toHaveBeenCalledTimes(3);
});

test("a second place on screen is a look of its own, though the first one's time is over", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(30_000);
  expect(server.calls).toHaveLength(10);
  conversation.watch("m1", () => {});
  await pass(50);
  expect(server.calls).toHaveLength(11);
});

test("who watches is told at once what is known", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {})
  await pass(50);
  const told = vi.fn();
  conversation.watch("m1", told);
  expect(told.mock.calls).toEqual([[{ read: 1, of: 3 }]]);
});

test("what is known stays the same object until it changes", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 }).set("m2", { read: 0, of: 3 });
  const told = vi.fn();
  conversation.watch("m1", told);
  await pass(50);
  const known = conversation.receipts("m1");
  // A newcomer makes the answer a full one, in which m1 stands again.
  server.answers = (call) => server.asTheContractHasIt({ ...call, headers: {} });
  conversation.watch("m2", () => {});
  await pass(3_000);
  expect(server.asked.at(-1)).toContain("m1");
  expect(conversation.receipts("m1")).toBe(known);
  expect(told).toHaveBeenCalledTimes(1);
});

test("a listener that throws disturbs nobody, and its error is reported as the app's", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  const throws = (receipts: Receipts | undefined) => {
    throw new Error(`the app's at ${receipts?.read}`);
  };
  const told = vi.fn();
  conversation.watch("m1", throws);
  conversation.watch("m1", told);
  await expect(pass(60)).rejects.toThrow("the app's at 1");
  expect(told).toHaveBeenCalledTimes(1);
  // Also one who is told at once can still be left.
  const leave = conversation.watch("m1", throws);
  await expect(pass(1)).rejects.toThrow("the app's at 1");
  leave();
  server.counts.set("m1", { read: 2, of: 3 });
  await expect(pass(2_000)).rejects.toThrow("the app's at 2");
  expect(told).toHaveBeenCalledTimes(2);
});

test("a source that throws anything is backed off from", async () => {
  let asks = 0;
  const { conversation, errors } = world({
    source: () => ({ lasts: false, ask: () => ((asks += 1), Promise.reject("anything")) }),
  });
  conversation.watch("m1", () => {});
  await pass(5_000);
  expect(asks).toBe(3);
  expect(errors[0]).toMatchObject({ status: 0, message: "anything" });
});

test.each(["", ".", "..", "a\u0000", "\u001f", "\u007f", "\u009f", "\ud800", "x\udc00y", "a".repeat(129), "é".repeat(65)])(
  "what is no id is left out of a look and told: %j",
  async (bad) => {
    const { server, conversation, errors } = world();
    server.counts.set("m1", { read: 1, of: 3 });
    conversation.watch("m1", () => {});
    conversation.watch(bad, () => {})();
    conversation.watch(bad, () => {});
    await pass(60);
    expect(server.asked).toEqual([["m1"]]);
    expect(errors).toMatchObject([{ code: "bad-id", isPassing: false }, { code: "bad-id" }]);
  },
);

test.each(["a", "...", "a b/ü", "\u2028", "😀", "a".repeat(128), "é".repeat(64), "😀".repeat(32), "m%25"])(
  "what is an id is asked for: %j",
  async (id) => {
    const { server, conversation, errors } = world();
    server.answers = () => json({ receipts: [], poll: null });
    conversation.watch(id, () => {});
    await pass(60);
    expect(server.asked).toEqual([[id]]);
    expect(errors).toEqual([]);
  },
);

test("of a conversation without an id nothing is sent, and that is told", async () => {
  const { server, client, errors } = world();
  for (const id of ["", "..", "\ud800"]) {
    client.conversation(id).watch("m1", () => {});
    client.conversation(id).mark("m1");
    client.conversation(id).markWhenSeen("m2");
  }
  await pass(10_000);
  expect(server.calls).toEqual([]);
  expect(errors).toMatchObject([{ code: "bad-id" }, { code: "bad-id" }, { code: "bad-id" }]);
});

test.each([
  ["poll null", () => json({ receipts: [], poll: null })],
  ["a refusal", () => problem(403, "not-allowed")],
])("an answer to an old look does not end a new one: %s", async (_, old) => {
  const { server, screen, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  const slow = later();
  server.answers = () => slow.answer;
  conversation.watch("m1", () => {});
  await pass(1_000);
  screen.change("hidden");
  screen.change("shown");
  server.answers = undefined;
  slow.give(old());
  await pass(3_000);
  expect(server.calls.length).toBeGreaterThan(1);
  expect(conversation.receipts("m1")).toEqual({ read: 1, of: 3 });
});

test("what is forgotten while a pull is under way is not taken for known by the next", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 }).set("m2", { read: 2, of: 3 });
  const leave = conversation.watch("m1", () => {});
  conversation.watch("m2", () => {});
  const slow = later();
  server.answers = (call) => slow.answer.then(() => server.asTheContractHasIt(call));
  await pass(60);
  leave();
  for (const message of numbered(1_500, 3)) conversation.subscribe(message, () => {})();
  slow.give(json({}));
  server.answers = undefined;
  await pass(0);
  conversation.watch("m1", () => {});
  await pass(3_000);
  expect(conversation.receipts("m1")).toEqual({ read: 1, of: 3 });
});

test.each([0, undefined, Number.NaN, -5, "soon"])("a pace of %s is none, and the one before holds", async (every_ms) => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 });
  server.poll = { every_ms, for_ms: every_ms } as never;
  server.answers = (call) => server.asTheContractHasIt({ ...call, headers: {} });
  conversation.watch("m1", () => {});
  await pass(20_000);
  expect(server.calls).toHaveLength(10);
});

test("a pace is kept between 10 milliseconds and an hour", async () => {
  const pulls = async (every_ms: number, ms: number) => {
    const { server, conversation } = world();
    server.poll = { every_ms, for_ms: 2 ** 40 };
    server.answers = () => json({ receipts: [], poll: server.poll });
    conversation.watch("m1", () => {});
    await pass(ms);
    return server.calls.length;
  };
  expect(await pulls(1, 150)).toBe(11);
  expect(await pulls(2 ** 33, 3_600_000)).toBe(1);
  expect(await pulls(2 ** 33, 3_600_050)).toBe(2);
  // A look ends after a day.
  expect(await pulls(2 ** 33, 2 * 86_400_000)).toBe(24);
});

test("1,000 messages are remembered, and of one more the oldest is forgotten, but never one that is held", async () => {
  const { server, conversation } = world();
  server.counts.set("m1", { read: 1, of: 3 }).set("m2", { read: 2, of: 3 });
  const remember = (message: string) => conversation.subscribe(message, () => {})();
  const leave = conversation.watch("m1", () => {});
  const leaveToo = conversation.watch("m1", () => {});
  const leaveOther = conversation.watch("m2", () => {});
  await pass(60);
  leaveOther();
  // To leave twice is to leave once.
  leave();
  leave();
  for (const message of numbered(998, 3)) remember(message);
  expect(conversation.receipts("m2")).toEqual({ read: 2, of: 3 });
  remember("m1001");
  expect(conversation.receipts("m2")).toBeUndefined();
  expect(conversation.receipts("m1")).toEqual({ read: 1, of: 3 });
  // The server is not told that m2 were known.
  conversation.watch("m2", () => {});
  await pass(2_000);
  expect(conversation.receipts("m2")).toEqual({ read: 2, of: 3 });
  leaveToo();
  for (const message of numbered(1_000, 3)) remember(message);
  expect(conversation.receipts("m1")).toBeUndefined();
});

test("a client that was closed asks no more", async () => {
  const { server, screen, client, conversation, errors } = world();
  server.answers = () => new Promise(() => {});
  const leave = conversation.watch("m1", () => {});
  await pass(60);
  await client.close();
  screen.change("shown");
  await pass(60_000);
  leave();
  expect(server.calls).toHaveLength(1);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
  expect(errors).toEqual([]);
  expect(screen.listeners.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("after closing nothing is ever asked or marked, whatever comes on screen", async () => {
  const { server, screen, client, conversation } = world();
  conversation.markWhenSeen("m1", "m1");
  conversation.watch("m2", () => {}, "m2");
  screen.show("m1", "m2");
  await pass(20);
  await client.close();
  expect(screen.targets.get("m1")!.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  for (const each of [conversation, client.conversation("c2")]) {
    each.watch("m3", () => {});
    each.mark("m4");
    each.markWhenSeen("m5");
    void each.flush();
  }
  await pass(60_000);
  expect(server.calls).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("one conversation is one object, and its id is encoded", async () => {
  const { server, client } = world();
  expect(client.conversation("a/b?ü")).toBe(client.conversation("a/b?ü"));
  client.conversation("a/b?ü").watch("m&1", () => {});
  await pass(50);
  expect(server.calls[0]!.path).toBe("conversations/a%2Fb%3F%C3%BC/receipts?message=m%261");
});
