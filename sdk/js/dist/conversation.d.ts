/**
 * One conversation: who has read what its user sent, and what its user has seen.
 *
 * Has both sides: the sender's is `screen`, which it is, and the reader's is `marks`, which it has.
 */
import type { Connection } from "./connection.js";
import { type Change, type Environment } from "./environment.js";
import type { SeenbyError } from "./error.js";
import { Screen } from "./screen.js";
import { type Source } from "./source.js";
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
export declare class Conversation extends Screen {
    #private;
    /** Conversations come from `Client.conversation`. */
    constructor(id: string, user: string | undefined, connection: Connection, source: Source, environment: Environment, failed: (error: SeenbyError) => void, waits: () => void);
    /** Marks the message as read by this user, with what else is seen within a second. */
    mark(message: string, previous?: string | null): void;
    /** Marks all up to and including the message. */
    markUpTo(message: string): void;
    /**
     * Marks the message once it was really seen: half of it on screen, on a visible page, for half a second without
     * a break. Without a `target` it is on screen from now on. Once alone, unless the returned function is called before.
     */
    markWhenSeen(message: string, target?: unknown, { previous, edition }?: MarkOptions): () => void;
    /** The messages whose marks wait to be sent. */
    get waiting(): string[];
    /** Sends the marks that wait; done when the server has them, or could not be reached and they go on waiting. */
    flush(): Promise<void>;
    /** What the user of this client still has to read. */
    badge(): Promise<Badge>;
    /** What the server says at a path below the conversation's: for parts of its own, such as `seenby/lists`. */
    get<T>(path: string): Promise<T>;
    /** Asks no more, and sends the marks that wait, once. */
    close(): Promise<void>;
    /** The page or app came into view, went out of it, or has a network again. */
    changed(change: Change): void;
}
