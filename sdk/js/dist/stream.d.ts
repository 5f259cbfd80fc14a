/**
 * Receipts as a stream: told within a second while messages are on screen, over a connection that stays open.
 *
 * By `fetch`, since an `EventSource` cannot send a token. Where there is no stream to be had, it pulls.
 */
import type { Connection } from "./connection.js";
import { type Source } from "./source.js";
/** An event of a stream, as HTML has them (section 9.2). */
interface Event {
    id: string;
    event: string;
    data: string;
}
/** Reads events out of text that comes in pieces. */
export declare function events(told: (event: Event) => void): (text: string) => void;
export interface StreamOptions {
    /** For how long to be told from when a message came on screen, in milliseconds: the server's `poll.for_ms` if left out. */
    readonly forMs?: number;
}
/** A source of receipts for `Options.source`. */
export declare function stream({ forMs }?: StreamOptions): (connection: Connection, conversation: string) => Source;
export {};
