/**
 * One conversation: who has read what its user sent, and what its user has seen.
 *
 * Has both sides: the sender's is `screen`, which it is, and the reader's is `marks`, which it has.
 */
import type { Connection } from "./connection.js";
import { type Change } from "./environment.js";
import { Marks } from "./marks.js";
import { Screen, type World } from "./screen.js";
import { type Source } from "./source.js";
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
export declare class Conversation extends Screen {
    #private;
    /** Whose client this is. */
    readonly user: string | undefined;
    readonly id: string;
    /** What waits, for those that have their own: see `Options.marks`. */
    readonly marks: Marks;
    /** Conversations come from `Client.conversation`. */
    constructor(id: string, world: World, options: ConversationOptions);
    /** As every screen's; what is no id is told to `onError`, and left out. */
    look(message: string, target?: unknown): () => void;
    /** Marks the message as read by this user, with what else is seen within a second. */
    mark(message: string, previous?: string | null): void;
    /**
     * Marks the message once it was really seen: half of it on screen, on a visible page, for half a second without
     * a break. Without a `target` it is on screen from now on. Once alone, unless the returned function is called before;
     * if the mark is refused or let go, the next call counts anew.
     */
    markWhenSeen(message: string, target?: unknown, { previous, edition }?: MarkOptions): () => void;
    /** The messages whose marks wait to be sent. */
    get waiting(): string[];
    /**
     * Sends the marks that wait, also before a server's `Retry-After`; done when the server has them, or could not be
     * reached and they go on waiting.
     */
    flush(): Promise<void>;
    /** What the server says at a path below the conversation's: for parts of its own, such as `seenby/lists`. */
    get<T>(path: string): Promise<T>;
    /** Asks no more, looks at nothing more, and sends the marks that wait, once. Later ones wait for another client. */
    close(): Promise<void>;
    /** The page or app came into view, went out of it, or has a network again. */
    changed(change: Change): void;
}
