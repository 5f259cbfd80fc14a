/** How long to wait, where chance has a say. */
import type { SeenbyError } from "./error.js";
export declare const HOUR_MS = 3600000;
/** A time that a server said, kept within bounds; `otherwise`, if it said none. */
export declare const within: (ms: number, max: number, otherwise: number) => number;
/**
 * How long to wait after so many failures in a row: as long as the server says, and with full jitter, so that those who
 * failed together do not come back together.
 */
export declare function backoffMs(failures: number, everyMs: number, error: SeenbyError): number;
