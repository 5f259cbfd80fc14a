/**
 * What a reader has seen, gathered and sent: a second's marks or a hundred at a time, until the server has them.
 *
 * Knows one conversation, and no screen: what counts as seen is decided in `conversation`.
 */
import { SeenbyError } from "./error.js";
import type { Refused } from "./shapes.js";
/** What a request says. */
export interface Said {
    readonly messages?: readonly string[];
    readonly up_to?: string;
}
/** Sends marks of this reader in this conversation; with `keepalive` even if the page is closed meanwhile. */
export type Post = (said: Said, keepalive: boolean) => Promise<{
    readonly refused?: readonly Refused[];
}>;
/** One mark: an object of its own, so that a later one of the same message is not taken for it. */
export interface Mark {
    readonly message: string;
    /** The message before it in the conversation, where that is known; null: there is none. */
    readonly previous?: string | null | undefined;
}
export declare class Marks {
    #private;
    protected readonly post: Post;
    /** `lost` is told each message whose mark was let go. */
    constructor(post: Post, failed: (error: SeenbyError) => void, lost: (message: string) => void);
    /** The messages that wait. */
    get waiting(): string[];
    add(mark: Mark): void;
    /** Others wait than before. */
    protected changed(): void;
    /** The network is back: who lacked it tries at once. What a server asked for holds. */
    retry(): void;
    /** Sends what waits, also before a server's `Retry-After`; done when the server has it all, or one request has failed. */
    flush(): Promise<void>;
    /** Sends what waits, once, and then nothing ever. */
    close(): Promise<void>;
    /**
     * Sends all at once, before the page closes, whatever a server asked for: each request may outlive the page. What was
     * under way may not, and goes again. What fails goes on waiting for its time.
     */
    leave(): void;
    /** Parts of what waits, for one request each. */
    protected batches(marks: readonly Mark[]): Mark[][];
    /** Sends one part; says what was refused. What it takes out of `marks` goes on waiting. */
    protected ask(marks: Mark[], keepalive: boolean): Promise<readonly Refused[]>;
}
