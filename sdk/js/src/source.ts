/**
 * How receipts are asked for: by a pull of one conversation, or of several at once. A stream is another source.
 *
 * Knows the wire and not the screen: when to ask is not decided here.
 */
import type { Connection } from "./connection.js";
import type { Body, Poll } from "./shapes.js";

/** What is asked for. */
export interface Ask {
  /** Keys of messages, 1 to 100. */
  readonly keys: readonly string[];
  /** Names what is known already. */
  readonly etag: string | undefined;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface Answer {
  /** By the key of the message; those alone that have changed. Unknown ones have nothing. */
  readonly changed: ReadonlyMap<string, { readonly read: number; readonly of: number } | undefined>;
  readonly etag: string | undefined;
  /** How to go on; left out where the answer does not say. */
  readonly poll?: Poll | undefined;
  /** The pace in seconds, where the answer says no more. */
  readonly paceS?: number | undefined;
}

/** A way to ask. */
export interface Source {
  /** Whether one ask lasts, and has to be ended and begun again for another set of messages. */
  readonly lasts: boolean;
  /** For how long to ask from when a message came on screen, in place of what the server says. */
  readonly forMs?: number | undefined;
  /** Asks once, and tells each answer. */
  ask(ask: Ask, told: (answer: Answer) => void): Promise<void>;
}

/** The answer in a body, with the key of each entry. */
export function answerOf(body: Body, etag: string | undefined, key: (entry: Body["receipts"][number]) => string): Answer {
  const changed = new Map(
    body.receipts.map((entry) => {
      const { read, of } = entry;
      return [key(entry), of === undefined ? of : { read: read!, of }] as const;
    }),
  );
  return { changed, etag, poll: body.poll };
}

/** The path of a conversation, below `/v1/`. */
export const pathOf = (conversation: string): string => `conversations/${encodeURIComponent(conversation)}/`;

/** The messages as a query. */
export const queryOf = (messages: readonly string[]): string =>
  messages.map((message) => "message=" + encodeURIComponent(message)).join("&");

/** Pulls of one conversation; keys are ids of messages. */
export function pulls(connection: Connection, conversation: string): Source {
  return {
    lasts: false,
    ask: ({ keys, etag, signal }, told) =>
      connection.send(
        "GET",
        // What has changed alone, only if we say since when: else a cache would say it for us.
        `${pathOf(conversation)}receipts?${queryOf(keys)}${etag ? "&changed=1" : ""}`,
        { headers: etag ? { "If-None-Match": `"${etag}"` } : {}, signal },
        async (answer) => {
          if (answer.status === 304) {
            // Read to its end, or Chromium's record has it as cancelled.
            await answer.text();
            const paceS = Number(answer.headers.get("Cache-Control")?.match(/max-age=(\d+)/)?.[1]);
            // Without a pace, nothing can change any more.
            told({ changed: new Map(), etag, ...(paceS >= 0 ? { paceS } : { poll: null }) });
          } else {
            const named = answer.headers.get("ETag")?.replace(/^W\/|"/g, "");
            told(answerOf(await answer.json(), named, (entry) => entry.message));
          }
        },
      ),
  };
}
