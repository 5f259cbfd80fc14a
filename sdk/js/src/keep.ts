/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { Client, type Options } from "./client.js";
import type { Conversation } from "./conversation.js";
import { tell } from "./error.js";
import { Marks } from "./marks.js";

/** Where they are kept, such as `localStorage`, or React Native's `AsyncStorage`. */
export interface Keep {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, text: string): unknown;
}

export interface KeepOptions extends Options {
  readonly user: string;
  /** Told of all marks that wait to be sent, whenever that changes. */
  readonly onWaiting?: (waiting: [conversation: string, messages: string[]][]) => void;
}

/** A client as `createClient` makes it, whose marks are kept. */
export function createKeepingClient(keep: Keep, options: KeepOptions): Client {
  // By server and user: what one has seen, no other has.
  const key = `seenby:${options.url}:${options.user}`;
  /** What is kept of this client; the rest is of others, such as the same user's in another tab. */
  let own = new Set<string>();
  let isSaving = false;
  let saved: Promise<unknown> = load().catch(() => {});
  const client = new KeepingClient(options, changed);

  function changed(): void {
    // One after the other, and of those that come meanwhile the last alone.
    if (!isSaving) saved = saved.then(save).catch(() => {});
    isSaving = true;
    if (options.onWaiting) tell(options.onWaiting, client.waiting);
  }

  /** A store that is full loses nothing of what is in memory. */
  async function save(): Promise<void> {
    const others = (await kept()).filter((mark) => !own.has(mark));
    isSaving = false;
    const waiting = client.waiting.flatMap(([id, messages]) => messages.map((message) => JSON.stringify([id, message])));
    await keep.setItem(key, JSON.stringify([...new Set([...others, ...waiting])]));
    own = new Set(waiting);
  }

  /** What the store holds: each mark as the JSON of its conversation and its message. What cannot be read is not ours. */
  async function kept(): Promise<string[]> {
    try {
      const marks: unknown = JSON.parse((await keep.getItem(key)) ?? "[]");
      return Array.isArray(marks) ? marks : [];
    } catch {
      return [];
    }
  }

  async function load(): Promise<void> {
    const marks = await kept();
    own = new Set(marks);
    for (const mark of marks) {
      const [id, message] = JSON.parse(mark) as [string, string];
      client.conversation(id).mark(message);
    }
  }
  return client;
}

/** A client that says what waits, and when that changes. */
class KeepingClient extends Client {
  readonly #made = new Set<Conversation>();

  constructor(options: KeepOptions, changed: () => void) {
    const marks = class extends (options.marks ?? Marks) {
      protected override changed(): void {
        changed();
      }
    };
    super({ ...options, marks });
  }

  override conversation(id: string): Conversation {
    const conversation = super.conversation(id);
    this.#made.add(conversation);
    return conversation;
  }

  get waiting(): [conversation: string, messages: string[]][] {
    return Array.from(this.#made, ({ id, waiting }) => [id, waiting]);
  }
}
