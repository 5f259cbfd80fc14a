/** How long to wait, where chance has a say. */
import type { SeenbyError } from "./error.js";

const BACKOFF_MS_MAX = 30_000;

/**
 * How long to wait after so many failures in a row: as long as the server says, and with full jitter, so that those who
 * failed together do not come back together.
 */
export function backoffMs(failures: number, everyMs: number, error: SeenbyError): number {
  return Math.max(error.retryAfterMs, Math.random() * Math.min(BACKOFF_MS_MAX, everyMs * 2 ** failures));
}
