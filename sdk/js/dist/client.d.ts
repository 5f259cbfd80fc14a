/** The way in: a client of one server, for one user, and its conversations. */
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { type Environment } from "./environment.js";
import { type SeenbyError } from "./error.js";
import { Screen } from "./screen.js";
import { type Source } from "./source.js";
export interface Options {
    /** Where the server is, such as `https://chat.example.com/receipts`; without `/v1`. */
    readonly url: string;
    /** Whose client this is. Needed for `badge`, and where the server has no access control. */
    readonly user?: string;
    /** A token of the user, or the promise of one. Asked once, and again when the server refuses the one it gave. */
    readonly token?: () => string | Promise<string>;
    /** In place of the global one. */
    readonly fetch?: typeof fetch;
    /** For how long a request may take, in milliseconds; 10,000 if left out. */
    readonly timeoutMs?: number;
    /** Where this runs: a page in a browser, and elsewhere a place where all is seen, if left out. */
    readonly environment?: Environment;
    /** How receipts of a conversation come: by pulls if left out, or `stream()` of `seenby/stream`. */
    readonly source?: (connection: Connection, conversation: string) => Source;
    /** Told of all marks that wait to be sent, whenever that changes: see `seenby/keep`. */
    readonly onWaiting?: (waiting: [conversation: string, messages: string[]][]) => void;
    /** Told what has failed. What may succeed later is tried again in any case. */
    readonly onError?: (error: SeenbyError) => void;
}
export declare class Client {
    #private;
    /** Clients come from `createClient`. */
    constructor(options: Options);
    /** A conversation; the same object for the same id. */
    conversation(id: string): Conversation;
    /** A screen of its own, for receipts that come from elsewhere than one conversation. */
    screen(source: (connection: Connection) => Source): Screen;
    /** Asks no more, and sends the marks that wait; done when the server has them, or could not be reached. */
    close(): Promise<void>;
}
/** A client of the server at `url`, for one user. */
export declare function createClient(options: Options): Client;
