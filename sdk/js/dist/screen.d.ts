/**
 * What a sender looks at, and when to ask for it: while on screen, at the server's pace, for as long as the server says.
 *
 * Owns the contract of a pull: one at a time, for all messages that are looked at. Knows no wire.
 */
import { type Change, type Environment } from "./environment.js";
import { SeenbyError } from "./error.js";
import type { Listener, Receipts } from "./shapes.js";
import type { Source } from "./source.js";
export declare class Screen {
    #private;
    /** Where it runs. */
    protected readonly environment: Environment;
    constructor(source: Source, environment: Environment, failed: (error: SeenbyError) => void);
    /** What was told last of a message; the same object until it changes. */
    receipts(key: string): Receipts | undefined;
    /** Tells `listener` of the message when something changes, until the function that it returns is called. */
    subscribe(key: string, listener: Listener): () => void;
    /** Both: asks, and tells, and first what is known already. */
    watch(key: string, listener: Listener, target?: unknown): () => void;
    /** Asks for the message while `target` is on screen, or from now on if there is none, until the returned function is called. */
    look(key: string, target?: unknown): () => void;
    /** The page came into view or went out of it, or the network is back. */
    changed(change: Change): void;
    /** Asks no more. */
    close(): void | Promise<void>;
}
