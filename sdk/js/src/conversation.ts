/**
 * One conversation: who has read what its user sent, and what its user has seen.
 *
 * Has both sides: the sender's is `screen`, which it is, and the reader's is `marks`, which it has.
 */
import type { Connection } from "./connection.js";
import { type Change, type Environment, onScreen } from "./environment.js";
import type { SeenbyError } from "./error.js";
import { Marks } from "./marks.js";
import { Screen } from "./screen.js";
import { pathOf, type Source } from "./source.js";

/** For how long a message has to be on screen to count as seen. */
const SEEN_MS = 500;
/** Messages that are known to be marked. */
const MARKED_MAX = 1_000;

export interface MarkOptions {
  /** The message of others before it in the conversation, null if there is none: lets many marks be sent as one "up to". */
  readonly previous?: string | null;
  /** Another value for another text of the same message: one that was edited is seen anew. */
  readonly edition?: string | number;
}

/** What the user still has to read. */
export interface Badge {
  readonly unread: number;
  /** The first of it; nothing, if all is read. */
  readonly firstUnread: string | undefined;
}

export class Conversation extends Screen {
  readonly #path: string;
  readonly #user: string | undefined;
  readonly #connection: Connection;
  readonly #marks: Marks;
  readonly #marked = new Set<string>();
  /** The messages on screen whose time has not come. */
  readonly #seeing = new Set<() => void>();

  /** Conversations come from `Client.conversation`. */
  constructor(
    id: string,
    user: string | undefined,
    connection: Connection,
    source: Source,
    environment: Environment,
    failed: (error: SeenbyError) => void,
    waits: () => void,
  ) {
    super(source, environment, failed);
    this.#path = pathOf(id);
    this.#user = user;
    this.#connection = connection;
    const path = this.#path + "marks";
    this.#marks = new Marks(
      (said, keepalive) => connection.json("POST", path, { body: { reader: user, ...said }, keepalive }),
      failed,
      waits,
    );
  }

  /** Marks the message as read by this user, with what else is seen within a second. */
  mark(message: string, previous?: string | null): void {
    this.#marks.add(message, previous);
  }

  /** Marks all up to and including the message. */
  markUpTo(message: string): void {
    this.#marks.addUpTo(message);
  }

  /**
   * Marks the message once it was really seen: half of it on screen, on a visible page, for half a second without
   * a break. Without a `target` it is on screen from now on. Once alone, unless the returned function is called before.
   */
  markWhenSeen(message: string, target?: unknown, { previous, edition }: MarkOptions = {}): () => void {
    const marked = JSON.stringify([message, edition]);
    if (this.#marked.has(marked)) return () => {};
    let isOnScreen = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (): void => {
      leave();
      this.#seeing.delete(look);
    };
    const seen = (): void => {
      end();
      this.#marked.add(marked);
      const [oldest = ""] = this.#marked;
      if (this.#marked.size > MARKED_MAX) this.#marked.delete(oldest);
      this.mark(message, previous);
    };
    const look = (): void => {
      clearTimeout(timer);
      if (isOnScreen && this.environment.isVisible()) timer = setTimeout(seen, SEEN_MS);
    };
    this.#seeing.add(look);
    const leave = onScreen(this.environment, target, (is) => {
      isOnScreen = is;
      look();
    });
    return end;
  }

  /** The messages whose marks wait to be sent. */
  get waiting(): string[] {
    return this.#marks.waiting;
  }

  /** Sends the marks that wait; done when the server has them, or could not be reached and they go on waiting. */
  flush(): Promise<void> {
    return this.#marks.flush();
  }

  /** What the user of this client still has to read. */
  async badge(): Promise<Badge> {
    const { unread, first_unread: firstUnread } = await this.get<{ unread: number; first_unread?: string }>(
      "readers/" + encodeURIComponent(this.#user ?? ""),
    );
    this.#marks.readUntil(firstUnread ?? "");
    return { unread, firstUnread };
  }

  /** What the server says at a path below the conversation's: for parts of its own, such as `seenby/lists`. */
  get<T>(path: string): Promise<T> {
    return this.#connection.json("GET", this.#path + path);
  }

  /** Asks no more, and sends the marks that wait, once. */
  override async close(): Promise<void> {
    super.close();
    await this.#marks.close();
  }

  /** The page or app came into view, went out of it, or has a network again. */
  override changed(change: Change): void {
    super.changed(change);
    this.#seeing.forEach((look) => look());
    if (change === "online") this.#marks.retry();
    if (change === "hidden") this.#marks.leave();
  }
}
