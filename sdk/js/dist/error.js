/** What can go wrong with a request, as one type. */
/** A request that failed: what the server said (RFC 9457), or that it could not be reached. */
export class SeenbyError extends Error {
    constructor(
    /** The status, or 0 if there was no answer. */
    status, 
    /** The server's word for it, such as `not-allowed`; `network` if there was no answer, `token` if there was no token. */
    code, detail, 
    /** After how long the server wants to be asked again, in milliseconds; 0 if it did not say. */
    retryAfterMs = 0) {
        super(detail);
        this.status = status;
        this.code = code;
        this.retryAfterMs = retryAfterMs;
        this.name = "SeenbyError";
    }
    /** What was thrown, as one of these. */
    static of(error, code = "network") {
        return error instanceof SeenbyError ? error : new SeenbyError(0, code, String(error));
    }
    /** Whether the same request may succeed later. */
    get isPassing() {
        return !this.status || this.status === 408 || this.status === 429 || this.status >= 500;
    }
}
/** Calls a function of the app. What it throws is the app's, and is reported as any other of its errors. */
export function tell(told, what) {
    try {
        told?.(what);
    }
    catch (error) {
        setTimeout(() => {
            throw error;
        });
    }
}
