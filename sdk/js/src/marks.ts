/**
 * What a reader has seen, gathered and sent: a second or a hundred marks at a time, until the server has them.
 *
 * Knows one conversation, and no screen: what counts as seen is decided in `conversation`.
 */
import { SeenbyError } from "./error.js";
import type { Refused } from "./shapes.js";
import { backoffMs } from "./time.js";

const GATHER_MS = 1_000;
/** Marks in one request. */
const SENT_MAX = 100;
/** Marks that may wait. */
const WAITING_MAX = 10_000;

/** What a request says. */
interface Said {
  readonly messages?: readonly string[];
  readonly up_to?: string;
}

/** Sends marks of this reader in this conversation; with `keepalive` even if the page is closed meanwhile. */
type Post = (said: Said, keepalive: boolean) => Promise<{ readonly refused: readonly Refused[] }>;

export class Marks {
  readonly #post: Post;
  readonly #failed: (error: SeenbyError) => void;
  readonly #changed: () => void;
  /** Messages that were seen, each with the one before it in the conversation, where that is known; null: there is none. */
  readonly #waiting = new Map<string, string | null | undefined>();
  readonly #upTo = new Set<string>();
  /** Up to this one all is read. */
  #frontier: string | undefined;
  /** Before this one all is read. */
  #firstUnread = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  /** How long to wait before the next request. */
  #waitMs = GATHER_MS;

  constructor(
    post: Post,
    failed: (error: SeenbyError) => void,
    changed: () => void,
  ) {
    this.#post = post;
    this.#failed = failed;
    this.#changed = changed;
  }

  /** The messages that wait. */
  get waiting(): string[] {
    return [...this.#waiting.keys()];
  }

  add(message: string, previous?: string | null): void {
    if (this.#waiting.size >= WAITING_MAX && !this.#waiting.has(message)) {
      return this.#refused(message, "too-many-items");
    }
    this.#waiting.set(message, previous);
    this.#changed();
    this.#plan();
  }

  addUpTo(message: string): void {
    this.#upTo.add(message);
    this.#plan();
  }

  /** All before this message is read: the server says so. Empty, if all is. */
  readUntil(firstUnread: string): void {
    this.#firstUnread = firstUnread;
  }

  /** The network is back. */
  retry(): void {
    if (this.#failures) void this.flush();
  }

  /** Sends what waits; done when the server has it all, or one request has failed. */
  async flush(): Promise<void> {
    // What is under way was gathered before.
    await this.#sending;
    await (this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      this.#plan();
    }));
  }

  /** Sends what waits, once; what fails is not tried again. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }

  async #sendAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waitMs = GATHER_MS;
    try {
      for (const said of this.#requests()) {
        await this.#send(...said, false);
        this.#failures = 0;
      }
    } catch (error) {
      this.#failures += 1;
      this.#waitMs = backoffMs(this.#failures, GATHER_MS, error as SeenbyError);
    }
  }

  /** Sends all at once, before the page closes: each request may outlive it. What was under way may not, and goes again. */
  leave(): void {
    for (const said of this.#requests()) this.#send(...said, true).catch(() => {});
  }

  #plan(): void {
    if (this.#sending || !(this.#waiting.size + this.#upTo.size)) return;
    const isFull = this.#waiting.size >= SENT_MAX && !this.#failures;
    if (isFull) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), this.#waitMs);
  }

  /** What waits, as requests; each with what waits no more once it is answered. */
  #requests(): [Said, taken: string[]][] {
    const said: [Said, string[]][] = Array.from(this.#upTo, (message) => [{ up_to: message }, [message]]);
    const run = this.#run();
    const last = run.at(-1);
    if (last !== undefined) return [...said, [{ up_to: last }, run]];
    const waiting = this.waiting;
    for (let at = 0; at < waiting.length; at += SENT_MAX) {
      const messages = waiting.slice(at, at + SENT_MAX);
      said.push([{ messages }, messages]);
    }
    return said;
  }

  /** What waits, in its order, if with it all is read up to the last of it: then "up to" says the same. Else nothing. */
  #run(): string[] {
    const next = new Map(Array.from(this.#waiting, ([message, previous]) => [previous, message]));
    const first = this.#firstUnread;
    const run: string[] = [];
    let at = this.#waiting.has(first) ? first : next.get(this.#frontier ?? null);
    while (at !== undefined && run.length < this.#waiting.size) {
      run.push(at);
      at = next.get(at);
    }
    return run.length === this.#waiting.size ? run : [];
  }

  async #send(said: Said, taken: string[], keepalive: boolean): Promise<void> {
    try {
      const { refused } = await this.#post(said, keepalive);
      if (said.up_to !== undefined && refused.length) {
        // Nothing is marked then: those before it have to be sent again, without it.
        taken = [said.up_to];
      } else this.#frontier = said.up_to ?? this.#frontier;
      this.#drop(taken);
      for (const { message, code } of refused) this.#refused(message, code);
    } catch (error) {
      const failure = error as SeenbyError;
      // A token may be had later; what is wrong with the request itself stays wrong.
      const isKept = failure.isPassing || failure.status === 401;
      if (!isKept) this.#drop(taken);
      this.#failed(failure);
      if (isKept) throw failure;
    }
  }

  #refused(message: string, code: string): void {
    this.#failed(new SeenbyError(200, code, `no mark of '${message}'`));
  }

  #drop(taken: readonly string[]): void {
    for (const message of taken) {
      this.#waiting.delete(message);
      this.#upTo.delete(message);
    }
    this.#changed();
  }
}
