/**
 * What a reader has seen, gathered and sent: a second or a hundred marks at a time, until the server has them.
 *
 * Knows one conversation, and no screen: what counts as seen is decided in `conversation`.
 */
import type { Connection } from "./connection.js";
import { SeenbyError } from "./error.js";
export declare class Marks {
    #private;
    constructor(connection: Connection, path: string, reader: string | undefined, failed: (error: SeenbyError) => void, changed: () => void);
    /** The messages that wait. */
    get waiting(): string[];
    add(message: string, previous?: string | null): void;
    addUpTo(message: string): void;
    /** All before this message is read: the server says so. */
    readUntil(firstUnread: string | undefined): void;
    /** The network is back. */
    retry(): void;
    /** Sends what waits; done when the server has it all, or one request has failed. */
    flush(): Promise<void>;
    /** Sends all at once, before the page closes: each request may outlive it. What was under way may not, and goes again. */
    leave(): void;
}
