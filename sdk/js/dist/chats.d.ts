/** A list of chats with a tick each: one request asks for all of it that is on screen. */
import type { Client } from "./client.js";
import type { Listener, Receipts } from "./shapes.js";
/** Messages of several conversations. */
export declare class Chats {
    #private;
    constructor(client: Client);
    /**
     * Asks for the message's receipts while it is on screen, and tells `listener` what is known and each change, until
     * the function that it returns is called. What is no id is told to `onError`, and left out.
     */
    watch(conversation: string, message: string, listener: Listener, target?: unknown): () => void;
    /** What was told last; the same object until it changes. */
    receipts(conversation: string, message: string): Receipts | undefined;
}
/** The list of chats of a client. */
export declare function chats(client: Client): Chats;
