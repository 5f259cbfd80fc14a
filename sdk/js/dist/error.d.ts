/** What can go wrong with a request, as one type. */
/** A request that failed: what the server said (RFC 9457), or that it could not be reached. */
export declare class SeenbyError extends Error {
    /** The status, or 0 if there was no answer. */
    readonly status: number;
    /** The server's word for it, such as `not-allowed`; `network` if there was no answer, `token` if there was no token. */
    readonly code: string;
    /** After how long the server wants to be asked again, in milliseconds; 0 if it did not say. */
    readonly retryAfterMs: number;
    readonly name = "SeenbyError";
    constructor(
    /** The status, or 0 if there was no answer. */
    status: number, 
    /** The server's word for it, such as `not-allowed`; `network` if there was no answer, `token` if there was no token. */
    code: string, detail: string, 
    /** After how long the server wants to be asked again, in milliseconds; 0 if it did not say. */
    retryAfterMs?: number);
    /** What was thrown, as one of these. */
    static of(error: unknown, code?: string): SeenbyError;
    /** Whether the same request may succeed later. */
    get isPassing(): boolean;
}
/** Calls a function of the app. What it throws is the app's, and is reported as any other of its errors. */
export declare function tell<T>(told: ((what: T) => void) | undefined, what: T): void;
