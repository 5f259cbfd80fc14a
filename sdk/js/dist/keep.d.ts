/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { Client, type Options } from "./client.js";
/** Where they are kept, such as `localStorage`, or React Native's `AsyncStorage`. */
export interface Keep {
    getItem(key: string): string | null | Promise<string | null>;
    setItem(key: string, text: string): unknown;
}
export interface KeepOptions extends Options {
    readonly user: string;
    /** Told of all marks that wait to be sent, whenever that changes. */
    readonly onWaiting?: (waiting: [conversation: string, messages: string[]][]) => void;
}
/** A client as `createClient` makes it, whose marks are kept. */
export declare function createKeepingClient(keep: Keep, options: KeepOptions): Client;
