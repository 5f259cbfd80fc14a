/**
 * One conversation: who has read what its user sent, and what its user has seen.
 *
 * Has both sides: the sender's is `screen`, which it is, and the reader's is `marks`, which it has.
 */
import type { Connection } from "./connection.js";
import { type Change, onScreen } from "./environment.js";
import { isId } from "./id.js";
import { Marks } from "./marks.js";
import { Screen, type World } from "./screen.js";
import { pathOf, pulls, type Source } from "./source.js";

/** For how long a message has to be on screen to count as seen. */
const SEEN_MS = 500;
/** Messages that are known to be marked. */
const MARKED_MAX = 1_000;

/** What an app may choose for its conversations. */
export interface ConversationOptions {
  /** Whose client this is. Needed for a badge, where the server has no access control, and by `seenby/keep`. */
  readonly user?: string;
  /** How receipts of a conversation come: by pulls if left out, or `stream()` of `seenby/stream`. */
  readonly source?: (connection: Connection, conversation: string) => Source;
  /** How marks are sent: message by message if left out, or `UpTo` of `seenby/up-to`. */
  readonly marks?: typeof Marks;
}

export interface MarkOptions {
  /** The message of others before it in the conversation, null if there is none: lets many marks be sent as one "up to". */
  readonly previous?: string | null;
  /** Another value for another text of the same message: one that was edited is seen anew. */
  readonly edition?: string | number;
}

export class Conversation extends Screen {
  /** Whose client this is. */
  readonly user: string | undefined;
  readonly id: string;
  /** What waits, for those that have their own: see `Options.marks`. */
  readonly marks: Marks;
  /** The messages that are marked or on their way, each with its edition. */
  readonly #marked = new Map<string, string | number>();
  /** For each message whose time has not come, what looks at it again, and what ends that. */
  readonly #seeing = new Map<() => void, () => void>();

  /** Conversations come from `Client.conversation`. */
  constructor(id: string, world: World, options: ConversationOptions) {
    const { connection, failed } = world;
    const { user, source = pulls, marks = Marks } = options;
    super(source(connection, id), world);
    this.id = id;
    this.user = user;
    this.marks = new marks(
      (said, keepalive) => connection.json("POST", pathOf(id) + "marks", { body: { reader: user, ...said }, keepalive }),
      failed,
      (message) => this.#marked.delete(message),
    );
  }

  /** As every screen's; what is no id is told to `onError`, and left out. */
  override look(message: string, target?: unknown): () => void {
    return isId(message, this.world.failed) ? super.look(message, target) : () => {};
  }

  /** Marks the message as read by this user, with what else is seen within a second. */
  mark(message: string, previous?: string | null): void {
    if (isId(message, this.world.failed)) this.marks.add({ message, previous });
  }

  /**
   * Marks the message once it was really seen: half of it on screen, on a visible page, for half a second without
   * a break. Without a `target` it is on screen from now on. Once alone, unless the returned function is called before;
   * if the mark is refused or let go, the next call counts anew.
   */
  markWhenSeen(message: string, target?: unknown, { previous, edition = "" }: MarkOptions = {}): () => void {
    if (this.#marked.get(message) === edition) return () => {};
    let isOnScreen = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (): void => {
      leave();
      this.#seeing.delete(look);
    };
    const seen = (): void => {
      end();
      // To mark some again does no harm.
      if (this.#marked.size >= MARKED_MAX) this.#marked.clear();
      this.#marked.set(message, edition);
      this.mark(message, previous);
    };
    const look = (): void => {
      clearTimeout(timer);
      if (isOnScreen && this.world.environment.isVisible()) timer = setTimeout(seen, SEEN_MS);
    };
    this.#seeing.set(look, end);
    const leave = onScreen(this.world.environment, target, (is) => {
      isOnScreen = is;
      look();
    });
    return end;
  }

  /** The messages whose marks wait to be sent. */
  get waiting(): string[] {
    return this.marks.waiting;
  }

  /**
   * Sends the marks that wait, also before a server's `Retry-After`; done when the server has them, or could not be
   * reached and they go on waiting.
   */
  flush(): Promise<void> {
    return this.marks.flush();
  }

  /** What the server says at a path below the conversation's: for parts of its own, such as `seenby/lists`. */
  get<T>(path: string): Promise<T> {
    return this.world.connection.json("GET", pathOf(this.id) + path);
  }

  /** Asks no more, looks at nothing more, and sends the marks that wait, once. Later ones wait for another client. */
  override close(): Promise<void> {
    super.close();
    this.#seeing.forEach((end) => end());
    return this.marks.close();
  }

  /** The page or app came into view, went out of it, or has a network again. */
  override changed(change: Change): void {
    super.changed(change);
    for (const look of this.#seeing.keys()) look();
    if (change === "online") this.marks.retry();
    if (change === "hidden") this.marks.leave();
  }
}
