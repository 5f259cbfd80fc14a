/** The way in: a client of one server, for one user, and its conversations. */
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { browser, type Environment, headless } from "./environment.js";
import { type SeenbyError, tell } from "./error.js";
import { Screen } from "./screen.js";
import { pulls, type Source } from "./source.js";

export interface Options {
  /** Where the server is, such as `https://chat.example.com/receipts`; without `/v1`. */
  readonly url: string;
  /** Whose client this is. Needed for `badge`, and where the server has no access control. */
  readonly user?: string;
  /** A token of the user, or the promise of one. Asked once, and again when the server refuses the one it gave. */
  readonly token?: () => string | Promise<string>;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
  /** For how long a request may take, in milliseconds; 10,000 if left out. */
  readonly timeoutMs?: number;
  /** Where this runs: a page in a browser, and elsewhere a place where all is seen, if left out. */
  readonly environment?: Environment;
  /** How receipts of a conversation come: by pulls if left out, or `stream()` of `seenby/stream`. */
  readonly source?: (connection: Connection, conversation: string) => Source;
  /** Told of all marks that wait to be sent, whenever that changes: see `seenby/keep`. */
  readonly onWaiting?: (waiting: [conversation: string, messages: string[]][]) => void;
  /** Told what has failed. What may succeed later is tried again in any case. */
  readonly onError?: (error: SeenbyError) => void;
}

export class Client {
  readonly #options: Options;
  readonly #connection: Connection;
  readonly #environment: Environment;
  readonly #screens = new Set<Screen>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #leave: () => void;

  /** Clients come from `createClient`. */
  constructor(options: Options) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.#environment = options.environment ?? (typeof document === "undefined" ? headless() : browser());
    this.#leave = this.#environment.subscribe((change) => this.#screens.forEach((screen) => screen.changed(change)));
  }

  /** A conversation; the same object for the same id. */
  conversation(id: string): Conversation {
    let conversation = this.#conversations.get(id);
    if (!conversation) {
      const { user, source = pulls } = this.#options;
      const connection = this.#connection;
      conversation = new Conversation(
        id,
        user,
        connection,
        source(connection, id),
        this.#environment,
        this.#failed,
        this.#waits,
      );
      this.#conversations.set(id, conversation);
      this.#screens.add(conversation);
    }
    return conversation;
  }

  /** A screen of its own, for receipts that come from elsewhere than one conversation. */
  screen(source: (connection: Connection) => Source): Screen {
    const screen = new Screen(source(this.#connection), this.#environment, this.#failed);
    this.#screens.add(screen);
    return screen;
  }

  /** Asks no more, and sends the marks that wait; done when the server has them, or could not be reached. */
  async close(): Promise<void> {
    this.#leave();
    await Promise.all(Array.from(this.#screens, (screen) => screen.close()));
  }

  readonly #waits = (): void =>
    tell(
      this.#options.onWaiting,
      Array.from(this.#conversations, ([id, { waiting }]) => [id, waiting]),
    );

  readonly #failed = (error: SeenbyError): void => tell(this.#options.onError, error);
}

/** A client of the server at `url`, for one user. */
export function createClient(options: Options): Client {
  return new Client(options);
}
