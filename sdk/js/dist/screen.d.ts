/**
 * What a sender looks at, and when to ask for it: while on screen, at the server's pace, for as long as the server says.
 *
 * Owns the contract of a pull: one at a time, for all messages that are looked at. Knows no wire.
 */
import type { Connection } from "./connection.js";
import { type Change, type Environment } from "./environment.js";
import { SeenbyError } from "./error.js";
import type { Listener, Receipts } from "./shapes.js";
import type { Source } from "./source.js";
/** What all of a client share. */
export interface World {
    readonly connection: Connection;
    readonly environment: Environment;
    /** Told what has failed. */
    failed(error: SeenbyError): void;
}
export declare class Screen {
    #private;
    protected readonly world: World;
    constructor(source: Source, world: World);
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
