/** What the user still has to read: how much, and marks that say "up to". Costs nothing where it is not imported. */
import type { Conversation } from "./conversation.js";
import { SeenbyError } from "./error.js";
import { isId } from "./id.js";
import { type Mark, Marks, type Post } from "./marks.js";
import type { Refused } from "./shapes.js";

/** Marks "up to" that may wait, of those that were asked for by themselves: each is a request. */
const UP_TO_MAX = 100;

/** What the user still has to read. */
export interface Badge {
  readonly unread: number;
  /** The first of it; nothing, if all is read. */
  readonly firstUnread: string | undefined;
}

/** What the user of the client still has to read in the conversation. */
export async function badge(conversation: Conversation): Promise<Badge> {
  const { marks, user } = conversation;
  if (!user) throw new SeenbyError(400, "bad-request", "a badge needs the client's `user`");
  const { unread, first_unread: firstUnread } = await conversation.get<{ unread: number; first_unread?: string }>(
    "readers/" + encodeURIComponent(user),
  );
  if (marks instanceof UpTo) marks.readUntil(firstUnread);
  return { unread, firstUnread };
}

/** Marks all up to and including the message, seen or not. The client must have been made with `marks: UpTo`. */
export function markUpTo({ marks }: Conversation, message: string): void {
  if (!(marks instanceof UpTo)) throw new TypeError("the client has no `marks: UpTo`");
  marks.addUpTo(message);
}

/** Marks of which an unbroken run is sent as "up to" its last: for `Options.marks`. */
export class UpTo extends Marks {
  readonly #failed: (error: SeenbyError) => void;
  /** Those that were asked for by themselves, by their messages. */
  readonly #asked = new Map<string, Mark>();
  /** What a request that is to be made says in place of its messages. */
  readonly #said = new WeakMap<readonly Mark[], string>();
  /** Up to this one all is read; null: nobody knows. */
  #frontier: string | null = null;
  /** Before this one all is read. */
  #firstUnread: string | undefined;
  /** Whether "up to" was refused last: then marks are sent by themselves, until some have arrived. */
  #isRefused = false;

  constructor(post: Post, failed: (error: SeenbyError) => void, lost: (message: string) => void) {
    super(post, failed, (message) => {
      this.#asked.delete(message);
      lost(message);
    });
    this.#failed = failed;
  }

  /** All before this message is read: the server says so. Nothing, if all is. */
  readUntil(firstUnread: string | undefined): void {
    this.#firstUnread = firstUnread;
  }

  addUpTo(message: string): void {
    if (!isId(message, this.#failed)) return;
    if (this.#asked.size >= UP_TO_MAX && !this.#asked.has(message)) {
      return this.#failed(new SeenbyError(200, "too-many-items", `no mark up to '${message}'`));
    }
    this.#asked.set(message, { message });
    this.add({ message });
  }

  /** A mark of a message up to which all is to be marked means that as well. */
  override add(mark: Mark): void {
    if (this.#asked.has(mark.message)) this.#asked.set(mark.message, mark);
    super.add(mark);
  }

  protected override batches(marks: readonly Mark[]): Mark[][] {
    const isAsked = (mark: Mark): boolean => this.#asked.get(mark.message) === mark;
    const asked = marks.filter(isAsked).map((mark) => this.#saying(mark.message, [mark]));
    const seen = marks.filter((mark) => !isAsked(mark));
    const last = this.#isRefused ? undefined : this.#last(seen);
    return [...asked, ...(last === undefined ? super.batches(seen) : [this.#saying(last, seen)])];
  }

  #saying(upTo: string, marks: Mark[]): Mark[] {
    this.#said.set(marks, upTo);
    return marks;
  }

  protected override async ask(marks: Mark[], keepalive: boolean): Promise<readonly Refused[]> {
    const upTo = this.#said.get(marks);
    const refused =
      upTo === undefined ? await super.ask(marks, keepalive) : ((await this.post({ up_to: upTo }, keepalive)).refused ?? []);
    this.#isRefused = upTo !== undefined && refused.length > 0;
    if (this.#isRefused) {
      // Nothing is marked then: those before it have to be sent again, without it.
      marks.splice(0, marks.length, ...marks.filter(({ message }) => message === upTo));
    } else if (upTo !== undefined) {
      this.#frontier = upTo;
      for (const mark of marks) if (this.#asked.get(mark.message) === mark) this.#asked.delete(mark.message);
    }
    return refused;
  }

  /** The last of these marks, if with them all is read up to there. */
  #last(marks: readonly Mark[]): string | undefined {
    const next = new Map(marks.map(({ message, previous }) => [previous, message]));
    const first = this.#firstUnread;
    let at = marks.some(({ message }) => message === first) ? first : next.get(this.#frontier);
    let last: string | undefined;
    let left = marks.length;
    for (; at !== undefined && left; left -= 1) {
      last = at;
      at = next.get(at);
    }
    return left ? undefined : last;
  }
}
