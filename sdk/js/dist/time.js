const BACKOFF_MS_MAX = 30_000;
/**
 * How long to wait after so many failures in a row: as long as the server says, and with full jitter, so that those who
 * failed together do not come back together.
 */
export function backoffMs(failures, everyMs, error) {
    return Math.max(error.retryAfterMs, Math.random() * Math.min(BACKOFF_MS_MAX, everyMs * 2 ** failures));
}
