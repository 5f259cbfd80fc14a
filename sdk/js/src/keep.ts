/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { type Client, createClient, type Options } from "./client.js";

/** Where they are kept, such as `localStorage`, or React Native's `AsyncStorage`. */
export interface Keep {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, text: string): unknown;
}

/** A client as `createClient` makes it, whose marks are kept. */
export function createKeepingClient(keep: Keep, options: Options & { readonly user: string }): Client {
  // By user: what one has seen, no other has.
  const key = `seenby:${options.user}`;
  let saved: Promise<unknown> = load();
  let unsaved: [string, string[]][] | undefined;
  const client = createClient({
    ...options,
    onWaiting(waiting) {
      options.onWaiting?.(waiting);
      // One after the other, and of those that come meanwhile the last alone.
      if (!unsaved) saved = saved.then(save).catch(() => {});
      unsaved = waiting;
    },
  });

  /** A store that is full loses nothing of what is in memory. */
  function save(): unknown {
    const text = JSON.stringify(unsaved?.filter(([, messages]) => messages.length));
    unsaved = undefined;
    return keep.setItem(key, text);
  }

  async function load(): Promise<void> {
    try {
      const kept = JSON.parse((await keep.getItem(key)) ?? "[]") as [string, string[]][];
      for (const [id, messages] of kept) for (const message of messages) client.conversation(id).mark(message);
    } catch {
      // What cannot be read is not ours.
    }
  }
  return client;
}
