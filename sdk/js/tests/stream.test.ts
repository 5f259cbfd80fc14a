/** The stream, in place of pulls: opened, resumed, ended, cut off, and refused. */
import { afterEach, expect, test, vi } from "vitest";
import { events, stream, type StreamOptions } from "../src/stream.js";
import { numbered, pass, problem, restore, world } from "./world.js";

afterEach(restore);

/** A client with streams, of which the test says what comes on each. */
function streams(options: StreamOptions = {}, chance = 0) {
  const all = world({ source: stream(options) }, chance);
  const open: { say(text: string): void; end(): void; cut(): void }[] = [];
  all.server.answers = (call) => {
    if (!call.path.includes("/stream?")) return all.server.asTheContractHasIt(call);
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (its) => void (controller = its) });
    call.init.signal!.addEventListener("abort", () => controller.error(new Error("aborted")));
    open.push({
      say: (text) => controller.enqueue(new TextEncoder().encode(text)),
      end: () => controller.close(),
      cut: () => controller.error(new TypeError("network error")),
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };
  return { ...all, open };
}

const receipts = (id: string, message: string, read: number, poll: unknown = { every_ms: 2_000, for_ms: 20_000 }) =>
  `id: ${id}\nevent: receipts\ndata: ${JSON.stringify({ receipts: [{ message, read, of: 9 }], poll })}\n\n`;

test("a stream is opened once, tells each change, and is ended when its time is over", async () => {
  const { server, conversation, open, errors } = streams();
  const told: unknown[] = [];
  conversation.watch("m1", (known) => told.push(known));
  await pass(60);
  expect(server.calls).toMatchObject([{ path: "conversations/c1/receipts/stream?message=m1" }]);
  expect(server.calls[0]!.headers).toEqual({ Accept: "text/event-stream" });
  open[0]!.say(receipts("e1", "m1", 1));
  await pass(5_000);
  open[0]!.say(receipts("e2", "m1", 2));
  await pass(14_939);
  expect(server.calls[0]!.init.signal!.aborted).toBe(false);
  await pass(1);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
  await pass(60_000);
  expect(told).toEqual([{ read: 1, of: 9 }, { read: 2, of: 9 }]);
  expect(server.calls).toHaveLength(1);
  expect(errors).toEqual([]);
});

test("a stream may last for as long as the client says, even for good", async () => {
  for (const [forMs, lastsMs] of [[60_000, 60_000], [Infinity, 2 ** 31 - 1]]) {
    const { server, conversation, open } = streams({ forMs: forMs! });
    conversation.watch("m1", () => {});
    await pass(60);
    open[0]!.say(receipts("e1", "m1", 1));
    // Signs of life, as a server gives them.
    const alive = setInterval(() => open[0]!.say(":\n\n"), 15_000);
    await pass(59_000);
    expect(server.calls[0]!.init.signal!.aborted).toBe(false);
    await pass(Math.min(lastsMs! - 59_059, 600_000));
    clearInterval(alive);
    expect(server.calls[0]!.init.signal!.aborted).toBe(lastsMs === 60_000);
  }
});

test("a stream ends when nothing can change any more", async () => {
  const { server, conversation, open } = streams();
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 9, null));
  await pass(60_000);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
  expect(server.calls).toHaveLength(1);
});

test.each(["leaves the screen", "is hidden"])("a stream ends when all %s, and resumes at the next look", async (how) => {
  const { server, screen, conversation, open } = streams();
  conversation.watch("m1", () => {}, "m1");
  screen.show("m1");
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 1));
  await pass(3_000);
  if (how === "is hidden") screen.change("hidden");
  else screen.hide("m1");
  await pass(0);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
  await pass(5_000);
  expect(server.calls).toHaveLength(1);
  if (how === "is hidden") screen.change("shown");
  else screen.show("m1");
  await pass(60);
  expect(server.calls[1]!.headers["Last-Event-ID"]).toBe("e1");
});

test("a stream that the server ends in good order is followed by the next, while the message is looked at", async () => {
  const { server, conversation, open, errors } = streams({ forMs: 100_000 });
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 1));
  await pass(20_000);
  open[0]!.say("id: e1.end\nevent: end\ndata: {}\n\n");
  open[0]!.end();
  await pass(1);
  // Behind the end there is nothing to resume.
  expect(server.calls[1]!.headers["Last-Event-ID"]).toBe("e1");
  expect(errors).toEqual([]);
});

test.each(["end", "cut"] as const)("a stream that is cut off (%s) is an error, and is resumed after a while of chance", async (how) => {
  const { server, conversation, open, errors } = streams({ forMs: 100_000 }, 1);
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 1));
  await pass(10_000);
  open[0]![how]();
  await pass(3_999);
  expect(server.calls).toHaveLength(1);
  expect(errors).toMatchObject([{ status: 0, code: "network" }]);
  await pass(1);
  expect(server.calls[1]!.headers["Last-Event-ID"]).toBe("e1");
  // That it is heard is enough to begin to count anew, though there is nothing new.
  open[1]!.say(":\n\n");
  await pass(10_000);
  open[1]!.cut();
  await pass(4_000);
  expect(server.calls).toHaveLength(3);
});

test("a stream without a sign of life for 45 seconds is given up", async () => {
  const { conversation, open, errors } = streams({ forMs: 600_000 });
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 1));
  await pass(40_000);
  open[0]!.say(":\n\n");
  await pass(44_999);
  expect(errors).toEqual([]);
  await pass(1);
  expect(errors).toMatchObject([{ status: 0, code: "network" }]);
});

test("an event that cannot be read ends its stream, and leaves nothing open", async () => {
  const { server, conversation, open, errors } = streams();
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.say("event: receipts\ndata: {\n\n");
  await pass(1);
  expect(errors).toHaveLength(1);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
});

test("newcomers reopen the stream with all, those who leave do not", async () => {
  const { server, screen, conversation, open } = streams();
  for (const message of numbered(3)) conversation.watch(message, () => {}, message);
  screen.show("m1", "m3");
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 1));
  await pass(1_000);
  screen.hide("m3");
  await pass(1_000);
  expect(server.calls).toHaveLength(1);
  screen.show("m2");
  await pass(60);
  expect(server.asked).toEqual([["m1", "m3"], ["m2", "m1"]]);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
  expect(server.calls[1]!.headers["Last-Event-ID"]).toBe("e1");
  expect(server.mostAtOnce).toBe(1);
  // Its time is that of the newcomers.
  await pass(19_800);
  expect(server.calls).toHaveLength(2);
  expect(server.calls[1]!.init.signal!.aborted).toBe(false);
  await pass(200);
  expect(server.calls[1]!.init.signal!.aborted).toBe(true);
});

test("while newcomers come and come, streams last long enough to tell something", async () => {
  const { server, screen, conversation, open } = streams();
  for (const message of numbered(40)) conversation.watch(message, () => {}, message);
  const told = vi.fn();
  conversation.subscribe("m1", told);
  for (const message of numbered(40)) {
    screen.show(message);
    await pass(50);
  }
  const lasted = server.times.map((at, index, all) => (all[index + 1] ?? Infinity) - at);
  expect(Math.min(...lasted)).toBeGreaterThanOrEqual(500);
  expect(server.times.length).toBeGreaterThan(2);
  open.at(-1)!.say(receipts("e1", "m1", 1));
  await pass(1);
  expect(told).toHaveBeenCalledTimes(1);
});

test("where there is no room for a stream it pulls, and tries a stream again after 20 seconds", async () => {
  const { server, conversation, errors } = streams({ forMs: 100_000 });
  server.counts.set("m1", { read: 1, of: 3 });
  server.answers = (call) =>
    call.path.includes("/stream?")
      ? problem(503, "too-many-streams", { "Retry-After": "1" })
      : server.asTheContractHasIt(call);
  const told = vi.fn();
  conversation.watch("m1", told);
  await pass(19_000);
  expect(told).toHaveBeenCalledWith({ read: 1, of: 3 });
  expect(server.calls.filter(({ path }) => path.includes("/stream?"))).toHaveLength(1);
  expect(server.calls.filter(({ path }) => path.includes("/receipts?"))).toHaveLength(10);
  await pass(2_000);
  expect(server.calls.filter(({ path }) => path.includes("/stream?"))).toHaveLength(2);
  expect(errors).toEqual([]);
});

test("a fetch that cannot stream pulls", async () => {
  const { server, conversation, errors } = streams();
  server.counts.set("m1", { read: 1, of: 3 });
  server.answers = (call) =>
    call.path.includes("/stream?") ? new Response(null) : server.asTheContractHasIt(call);
  const told = vi.fn();
  conversation.watch("m1", told);
  await pass(60);
  expect(told).toHaveBeenCalledWith({ read: 1, of: 3 });
  expect(errors).toEqual([]);
});

test("a stream of nothing that is known tells that, as a pull does", async () => {
  const { server, conversation, errors } = streams();
  server.answers = () => problem(404, "unknown-message");
  const told = vi.fn();
  conversation.watch("m1", told);
  await pass(60_000);
  expect(told.mock.calls).toEqual([[undefined]]);
  expect(server.calls).toHaveLength(1);
  expect(errors).toEqual([]);
});

test("other refusals are errors", async () => {
  const { server, conversation, errors } = streams();
  server.answers = () => problem(503, "overloaded", { "Retry-After": "30" });
  conversation.watch("m1", () => {});
  await pass(60_000);
  expect(errors).toMatchObject([{ code: "overloaded", retryAfterMs: 30_000 }]);
});

test("a stream that is cut off before it was heard is backed off from as one that was refused", async () => {
  const { server, conversation, open } = streams({ forMs: 100_000 }, 1);
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.cut();
  await pass(4_000);
  expect(server.calls).toHaveLength(2);
  open[1]!.cut();
  await pass(7_990);
  expect(server.calls).toHaveLength(2);
  await pass(20);
  expect(server.calls).toHaveLength(3);
});

test("a stream lasts as long as its first event says", async () => {
  const { server, conversation, open } = streams();
  conversation.watch("m1", () => {});
  await pass(60);
  open[0]!.say(receipts("e1", "m1", 1, { every_ms: 2_000, for_ms: 30_000 }));
  await pass(29_000);
  expect(server.calls[0]!.init.signal!.aborted).toBe(false);
  await pass(1_000);
  expect(server.calls[0]!.init.signal!.aborted).toBe(true);
  const short = streams();
  short.conversation.watch("m1", () => {});
  await pass(60);
  short.open[0]!.say(receipts("e1", "m1", 1, { every_ms: 2_000, for_ms: 5_000 }));
  await pass(5_000);
  expect(short.server.calls[0]!.init.signal!.aborted).toBe(true);
  await pass(60_000);
  expect(short.server.calls).toHaveLength(1);
});

test("an id with a line separator of Unicode does not stop the stream", async () => {
  const { conversation, open, errors } = streams();
  conversation.watch("a\u2028b", () => {});
  await pass(60);
  open[0]!.say(receipts("e1", "a\u2028b", 1));
  await pass(1);
  expect(conversation.receipts("a\u2028b")).toEqual({ read: 1, of: 9 });
  expect(errors).toEqual([]);
});

test("events are read in whatever pieces they come, with any line end, among comments and fields of no meaning", () => {
  const text = ":\n\nid: e1\r\nevent: receipts\r\ndata: {\"a\": 1}\r\n\r\nretry: 5\n: life\n\ndata:x\nevent:end\n\nevent\n\n";
  const expected = [
    { id: "e1", event: "receipts", data: '{"a": 1}' },
    { id: "", event: "end", data: "x" },
  ];
  for (let size = 1; size <= text.length; size += 1) {
    const told: unknown[] = [];
    const read = events((event) => told.push(event));
    for (let at = 0; at < text.length; at += size) read(text.slice(at, at + size));
    expect(told).toEqual(expected);
  }
});
