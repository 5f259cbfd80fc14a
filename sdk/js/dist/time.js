const BACKOFF_MS_MAX = 30_000;
export const HOUR_MS = 3_600_000;
/** No server asks for less. */
const SAID_MS_MIN = 10;
/** A time that a server said, kept within bounds; `otherwise`, if it said none. */
export const within = (ms, max, otherwise) => ms > 0 ? Math.min(Math.max(ms, SAID_MS_MIN), max) : otherwise;
/**
 * How long to wait after so many failures in a row: as long as the server says, and with full jitter, so that those who
 * failed together do not come back together.
 */
export function backoffMs(failures, everyMs, error) {
    return Math.max(error.retryAfterMs, Math.random() * Math.min(BACKOFF_MS_MAX, everyMs * 2 ** failures));
}
