/** What travels, and what is made of it. */
/** How many of a message's audience have read it. */
export interface Receipts {
    readonly read: number;
    readonly of: number;
}
/** Told what is known of a message; nothing, if it is unknown to the server, or was not sent by this user. */
export type Listener = (receipts: Receipts | undefined) => void;
/** Part of the users who have read a message, or have not. */
export interface UsersPart extends Receipts {
    readonly users: readonly string[];
    /** Where the next part begins, if there is one. */
    readonly next?: string;
}
/** How the server wants to be pulled on; null: nothing can change any more. */
export type Poll = {
    readonly every_ms: number;
    readonly for_ms: number;
} | null;
/** One message in an answer. */
export interface Entry {
    readonly conversation?: string;
    readonly message: string;
    readonly read?: number;
    readonly of?: number;
    readonly code?: string;
}
/** The body of a pull, of a query, and of an event. */
export interface Body {
    readonly receipts: readonly Entry[];
    readonly poll: Poll;
    readonly etag?: string;
}
/** What was refused of marks. */
export interface Refused {
    readonly message: string;
    readonly code: string;
}
