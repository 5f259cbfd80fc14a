/**
 * What a reader has seen, gathered and sent: a second or a hundred marks at a time, until the server has them.
 *
 * Knows one conversation, and no screen: what counts as seen is decided in `conversation`.
 */
import { SeenbyError } from "./error.js";
import type { Refused } from "./shapes.js";
/** What a request says. */
interface Said {
    readonly messages?: readonly string[];
    readonly up_to?: string;
}
/** Sends marks of this reader in this conversation; with `keepalive` even if the page is closed meanwhile. */
type Post = (said: Said, keepalive: boolean) => Promise<{
    readonly refused: readonly Refused[];
}>;
export declare class Marks {
    #private;
    constructor(post: Post, failed: (error: SeenbyError) => void, changed: () => void);
    /** The messages that wait. */
    get waiting(): string[];
    add(message: string, previous?: string | null): void;
    addUpTo(message: string): void;
    /** All before this message is read: the server says so. Empty, if all is. */
    readUntil(firstUnread: string): void;
    /** The network is back. */
    retry(): void;
    /** Sends what waits; done when the server has it all, or one request has failed. */
    flush(): Promise<void>;
    /** Sends what waits, once; what fails is not tried again. */
    close(): Promise<void>;
    /** Sends all at once, before the page closes: each request may outlive it. What was under way may not, and goes again. */
    leave(): void;
}
export {};
