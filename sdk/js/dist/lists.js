import { isId } from "./id.js";
/** Who has read the message, in the order of their joining the conversation. Each part asks the server as it is asked for. */
export function readers(conversation, message, options) {
    return walk(conversation, message, "readers", options);
}
/** Who has not. */
export function nonReaders(conversation, message, options) {
    return walk(conversation, message, "unread", options);
}
async function* walk(conversation, message, half, { limit = 200 } = {}) {
    // What is no id would make a path of another meaning.
    isId(message, (error) => {
        throw error;
    });
    let after = "";
    do {
        const part = await conversation.get(`messages/${encodeURIComponent(message)}/${half}?limit=${limit}${after}`);
        yield part;
        after = part.next === undefined ? "" : "&after=" + encodeURIComponent(part.next);
    } while (after);
}
