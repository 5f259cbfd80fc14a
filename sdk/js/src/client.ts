/** The way in: a client of one server, for one user, and its conversations. */
import { Connection } from "./connection.js";
import { Conversation, type ConversationOptions } from "./conversation.js";
import { browser, type Environment, headless } from "./environment.js";
import { type SeenbyError, tell } from "./error.js";
import { isId } from "./id.js";
import { Screen, type World } from "./screen.js";
import type { Source } from "./source.js";

export interface Options extends ConversationOptions {
  /** Where the server is, such as `https://chat.example.com/receipts`; without `/v1`. */
  readonly url: string;
  /** A token of the user, or the promise of one. Asked once, and again when the server refuses the one it gave. */
  readonly token?: () => string | Promise<string>;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
  /** For how long a request may take, and before it `token`, in milliseconds; 10,000 if left out. */
  readonly timeoutMs?: number;
  /** Where this runs: a page in a browser, and elsewhere a place where all is seen, if left out. */
  readonly environment?: Environment;
  /** Told what has failed. What may succeed later is tried again in any case. */
  readonly onError?: (error: SeenbyError) => void;
}

export class Client implements World {
  readonly #options: Options;
  /** For parts of the client's own, such as `seenby/chats`, as are `environment` and `failed`. */
  readonly connection: Connection;
  readonly environment: Environment;
  readonly #screens = new Set<Screen>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #leave: () => void;
  #isClosed = false;

  /** Clients come from `createClient`. */
  constructor(options: Options) {
    this.#options = options;
    this.connection = new Connection(options);
    this.environment = options.environment ?? (typeof document === "undefined" ? headless() : browser());
    this.#leave = this.environment.subscribe((change) => this.#screens.forEach((screen) => screen.changed(change)));
  }

  /** A conversation; the same object for the same id. What is no id is told to `onError`, and nothing of it ever sent. */
  conversation(id: string): Conversation {
    let conversation = this.#conversations.get(id);
    if (!conversation) {
      conversation = new Conversation(id, this, this.#options);
      this.#conversations.set(id, conversation);
      this.#add(conversation, isId(id, this.failed));
    }
    return conversation;
  }

  /** A screen of its own, for receipts that come from elsewhere than one conversation. */
  screen(source: (connection: Connection) => Source): Screen {
    return this.#add(new Screen(source(this.connection), this), true);
  }

  /**
   * Asks no more, and sends the marks that wait; done when the server has them, or could not be reached. From now on
   * nothing is asked or marked any more by itself.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#leave();
    await Promise.all(Array.from(this.#screens, (screen) => screen.close()));
  }

  #add<T extends Screen>(screen: T, isOpen: boolean): T {
    this.#screens.add(screen);
    if (this.#isClosed || !isOpen) void screen.close();
    return screen;
  }

  /** Tells `onError`. */
  readonly failed = (error: SeenbyError): void => tell(this.#options.onError, error);
}

/** A client of the server at `url`, for one user. */
export function createClient(options: Options): Client {
  return new Client(options);
}
