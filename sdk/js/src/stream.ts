/**
 * Receipts as a stream: told within a second while messages are on screen, over a connection that stays open.
 *
 * By `fetch`, since an `EventSource` cannot send a token. Where there is no stream to be had, it pulls.
 */
import type { Connection } from "./connection.js";
import { SeenbyError } from "./error.js";
import type { Body } from "./shapes.js";
import { type Answer, answerOf, type Ask, pathOf, pulls, queryOf, type Source } from "./source.js";

/** An event of a stream, as HTML has them (section 9.2). */
interface Event {
  id: string;
  event: string;
  data: string;
}

/** Reads events out of text that comes in pieces. */
export function events(told: (event: Event) => void): (text: string) => void {
  let rest = "";
  let event: Event = { id: "", event: "", data: "" };
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, field = "", value = ""] = /^([^:]*):? ?([^]*?)\r?$/.exec(line) ?? [];
      if (field in event) event[field as keyof Event] = value;
      else if (line.trim() === "" && event.event) {
        told(event);
        event = { id: "", event: "", data: "" };
      }
    }
  };
}

export interface StreamOptions {
  /** For how long to be told from when a message came on screen, in milliseconds: the server's `poll.for_ms` if left out. */
  readonly forMs?: number;
}

/** After so long without a byte there is nobody any more at the other end: a comment comes every 15 seconds. */
const SILENCE_MS = 45_000;
/** After how long a server that had no room for a stream is asked again. */
const PULLED_MS = 20_000;

/** A source of receipts for `Options.source`. */
export function stream({ forMs }: StreamOptions = {}): (connection: Connection, conversation: string) => Source {
  return (connection, conversation) => {
    const pulled = pulls(connection, conversation);
    let pullsUntil = -Infinity;
    return {
      lasts: true,
      // A timer cannot wait longer.
      forMs: forMs && Math.min(forMs, 2 ** 31 - 1),
      async ask(ask, told) {
        if (performance.now() < pullsUntil) return pulled.ask(ask, told);
        try {
          return await follow(connection, conversation, ask, told);
        } catch (error) {
          const { code } = error as SeenbyError;
          if (code === "unknown-message") {
            return told({ changed: new Map(ask.keys.map((key) => [key, undefined])), etag: ask.etag, poll: null });
          }
          if (code !== "too-many-streams" && code !== "no-stream") throw error;
          pullsUntil = performance.now() + PULLED_MS;
          return pulled.ask(ask, told);
        }
      },
    };
  };
}

/** One stream, from its first event to its last. */
function follow(connection: Connection, conversation: string, ask: Ask, told: (answer: Answer) => void): Promise<void> {
  const { keys, etag, signal } = ask;
  const path = `${pathOf(conversation)}receipts/stream?${queryOf(keys)}`;
  const headers = { Accept: "text/event-stream", ...(etag && { "Last-Event-ID": etag }) };
  return connection.send("GET", path, { headers, signal }, async (answer, mayLast) => {
    if (answer.status === 204) return;
    const body = answer.body?.getReader();
    if (!body) throw new SeenbyError(0, "no-stream", "this fetch cannot stream");
    const decoder = new TextDecoder();
    let isHeard = false;
    let hasEnded = false;
    const read = events(({ id, event, data }) => {
      if (event === "receipts") told(answerOf(JSON.parse(data) as Body, id, (entry) => entry.message));
      hasEnded ||= event === "end";
    });
    for (;;) {
      mayLast(SILENCE_MS);
      const { done, value } = await body.read();
      // The server goes, and all its streams with it: not all come back at once.
      if (done && !hasEnded) throw new SeenbyError(0, "network", "the stream was cut off");
      if (done) return;
      // A comment also says that it works, though there may be nothing new for long.
      if (!isHeard) told({ changed: new Map(), etag });
      isHeard = true;
      read(decoder.decode(value, { stream: true }));
    }
  });
}
