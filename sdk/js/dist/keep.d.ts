/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { type Client, type Options } from "./client.js";
/** Where they are kept, such as `localStorage`, or React Native's `AsyncStorage`. */
export interface Keep {
    getItem(key: string): string | null | Promise<string | null>;
    setItem(key: string, text: string): unknown;
}
/** A client as `createClient` makes it, whose marks are kept. */
export declare function createKeepingClient(keep: Keep, options: Options & {
    readonly user: string;
}): Client;
