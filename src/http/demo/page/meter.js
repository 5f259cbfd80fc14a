/**
 * What the SDK sends and gets, counted at its `fetch`: each request, as HTTP/1.1 would carry it.
 *
 * Counts what the SDK asks for and what a page may see of the answer; what a browser says of itself is not in it.
 */
import { Radio } from "./radio.js";

const encoder = new TextEncoder();
export const bytesOf = (text) => encoder.encode(text).length;

const head = (first, fields) => bytesOf(first) + 4 + fields.reduce((sum, [name, value]) => sum + bytesOf(name + value) + 4, 0);

/** What a request is for. */
function whatIs(method, path) {
  if (path.endsWith("/receipts/stream")) return "stream";
  if (path.endsWith("/receipts")) return "pull";
  if (path.endsWith("/marks")) return "marks";
  return /\/messages\/[^/]+\/(readers|unread)$/.test(path) ? "list" : "badge";
}

/** The messages that it names, and whether it means all up to the one that it names. */
function scopeOf(url, body) {
  if (!body) return { messages: url.searchParams.getAll("message"), isUpTo: false };
  const { messages, up_to } = JSON.parse(body);
  return { messages: messages ?? [up_to], isUpTo: up_to !== undefined };
}

/** Statuses without a body; for all others a browser lets one be put in place of what came. */
const BARE = new Set([204, 304]);

/** All zero. */
const nothing = () => ({ pull: 0, stream: 0, marks: 0, list: 0, badge: 0, unchanged: 0, events: 0, up: 0, down: 0 });

export class Meter {
  totals = nothing();
  radio = new Radio();
  #told;
  #numbers = 0;

  /**
   * `told` gets each request as it begins, each time something of it moves, and as it is over:
   * `{number, what, at, status, up, down, isOver, messages, isUpTo}`, the same object each time. Marks that were
   * answered also have `refused`, those of them that were.
   */
  constructor(told) {
    this.#told = told;
  }

  reset() {
    this.totals = nothing();
    this.radio = new Radio();
  }

  /** For the SDK in place of the browser's own. */
  fetch = async (input, init) => {
    const url = new URL(input);
    const up = head(`${init.method} ${url.pathname}${url.search} HTTP/1.1`, Object.entries(init.headers)) + bytesOf(init.body ?? "");
    const what = whatIs(init.method, url.pathname);
    const request = { number: ++this.#numbers, what, at: Date.now(), status: "", up, down: 0, isOver: false, ...scopeOf(url, init.body) };
    const over = (status) => {
      if (request.isOver) return;
      request.status ||= status;
      request.isOver = true;
      this.#told(request);
    };
    this.totals[what] += 1;
    this.totals.up += up;
    this.#moved(request, 0);
    init.signal.addEventListener("abort", () => over("ended"));
    try {
      const answer = await fetch(url, init);
      request.status = String(answer.status);
      if (answer.status === 304) this.totals.unchanged += 1;
      this.#moved(request, head(`HTTP/1.1 ${answer.status} ${answer.statusText}`, [...answer.headers]));
      return this.#counted(answer, request, over);
    } catch (error) {
      over("none");
      throw error;
    }
  };

  /** The answer, whose body is counted as it comes. */
  #counted(answer, request, over) {
    if (BARE.has(answer.status)) {
      over();
      return answer;
    }
    const decoder = new TextDecoder();
    let said = "";
    const counter = new TransformStream({
      transform: (chunk, out) => {
        if (request.what === "marks") said += decoder.decode(chunk, { stream: true });
        // Each chunk of a stream is one event, or some that came together.
        if (request.what === "stream") this.totals.events += new TextDecoder().decode(chunk).split("event: receipts").length - 1;
        this.#moved(request, chunk.length);
        out.enqueue(chunk);
      },
      flush: () => {
        if (request.what === "marks" && answer.ok) request.refused = JSON.parse(said).refused.map(({ message }) => message);
        over();
      },
    });
    const { status, statusText, headers } = answer;
    return new Response(answer.body.pipeThrough(counter), { status, statusText, headers });
  }

  #moved(request, down) {
    request.down += down;
    this.totals.down += down;
    this.radio.moved(performance.now());
    this.#told(request);
  }
}
