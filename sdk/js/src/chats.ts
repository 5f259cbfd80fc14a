/** A list of chats with a tick each: one request asks for all of it that is on screen. */
import type { Client } from "./client.js";
import type { Connection } from "./connection.js";
import { isId } from "./id.js";
import type { Screen } from "./screen.js";
import type { Body, Listener, Receipts } from "./shapes.js";
import { answerOf, type Source } from "./source.js";

/** The key of a message among those of several conversations. */
const keyOf = (conversation: string, message: string): string => JSON.stringify([conversation, message]);

/** Pulls of several conversations at once. */
function queries(connection: Connection): Source {
  return {
    lasts: false,
    async ask({ keys, etag, signal }, told) {
      const pulls = new Map<string, string[]>();
      for (const key of keys) {
        const [conversation, message] = JSON.parse(key) as [string, string];
        pulls.set(conversation, [...(pulls.get(conversation) ?? []), message]);
      }
      const body = { pulls: Array.from(pulls, ([conversation, messages]) => ({ conversation, messages })), etag };
      const said = await connection.json<Body>("POST", "receipts/query", { body, signal });
      told(answerOf(said, said.etag, (entry) => keyOf(entry.conversation ?? "", entry.message)));
    },
  };
}

/** Messages of several conversations. */
export class Chats {
  readonly #client: Client;
  readonly #screen: Screen;

  constructor(client: Client) {
    this.#client = client;
    this.#screen = client.screen(queries);
  }

  /**
   * Asks for the message's receipts while it is on screen, and tells `listener` what is known and each change, until
   * the function that it returns is called. What is no id is told to `onError`, and left out.
   */
  watch(conversation: string, message: string, listener: Listener, target?: unknown): () => void {
    const areIds = [conversation, message].every((id) => isId(id, this.#client.failed));
    if (!areIds) return () => {};
    return this.#screen.watch(keyOf(conversation, message), listener, target);
  }

  /** What was told last; the same object until it changes. */
  receipts(conversation: string, message: string): Receipts | undefined {
    return this.#screen.receipts(keyOf(conversation, message));
  }
}

/** The list of chats of a client. */
export function chats(client: Client): Chats {
  return new Chats(client);
}
