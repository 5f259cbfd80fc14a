/** The way in: a client of one server, for one user, and its conversations. */
import { Connection } from "./connection.js";
import { Conversation, type ConversationOptions } from "./conversation.js";
import { type Environment } from "./environment.js";
import { type SeenbyError } from "./error.js";
import { Screen, type World } from "./screen.js";
import type { Source } from "./source.js";
export interface Options extends ConversationOptions {
    /** Where the server is, such as `https://chat.example.com/receipts`; without `/v1`. */
    readonly url: string;
    /** A token of the user, or the promise of one. Asked once, and again when the server refuses the one it gave. */
    readonly token?: () => string | Promise<string>;
    /** In place of the global one. */
    readonly fetch?: typeof fetch;
    /** For how long a request may take, and before it `token`, in milliseconds; 10,000 if left out. */
    readonly timeoutMs?: number;
    /** Where this runs: a page in a browser, and elsewhere a place where all is seen, if left out. */
    readonly environment?: Environment;
    /** Told what has failed. What may succeed later is tried again in any case. */
    readonly onError?: (error: SeenbyError) => void;
}
export declare class Client implements World {
    #private;
    /** For parts of the client's own, such as `seenby/chats`, as are `environment` and `failed`. */
    readonly connection: Connection;
    readonly environment: Environment;
    /** Clients come from `createClient`. */
    constructor(options: Options);
    /** A conversation; the same object for the same id. What is no id is told to `onError`, and nothing of it ever sent. */
    conversation(id: string): Conversation;
    /** A screen of its own, for receipts that come from elsewhere than one conversation. */
    screen(source: (connection: Connection) => Source): Screen;
    /**
     * Asks no more, and sends the marks that wait; done when the server has them, or could not be reached. From now on
     * nothing is asked or marked any more by itself.
     */
    close(): Promise<void>;
    /** Tells `onError`. */
    readonly failed: (error: SeenbyError) => void;
}
/** A client of the server at `url`, for one user. */
export declare function createClient(options: Options): Client;
