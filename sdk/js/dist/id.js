/** What is an id: of a conversation, a message or a user. Knows what the server takes, and refuses alike. */
import { SeenbyError } from "./error.js";
const ID_BYTES_MAX = 128;
/** Not `.` or `..`, no control character, no half of a pair. */
const ID = /^(?!\.\.?$)[^\0-\x1f\x7f-\x9f\ud800-\udfff]+$/u;
/** Whether this is an id. What is none is told: one of them would have the server refuse all that is sent with it. */
export function isId(id, told) {
    // Each byte that is not written as itself is three characters.
    if (ID.test(id) && encodeURIComponent(id).replace(/%../g, ".").length <= ID_BYTES_MAX)
        return true;
    told(new SeenbyError(400, "bad-id", `no id: '${id}'`));
    return false;
}
