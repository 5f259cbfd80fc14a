import { answerOf } from "./source.js";
/** The key of a message among those of several conversations. */
const keyOf = (conversation, message) => JSON.stringify([conversation, message]);
/** Pulls of several conversations at once. */
function queries(connection) {
    return {
        lasts: false,
        async ask({ keys, etag, signal }, told) {
            const pulls = new Map();
            for (const key of keys) {
                const [conversation, message] = JSON.parse(key);
                pulls.set(conversation, [...(pulls.get(conversation) ?? []), message]);
            }
            const body = { pulls: Array.from(pulls, ([conversation, messages]) => ({ conversation, messages })), etag };
            const said = await connection.json("POST", "receipts/query", { body, signal });
            told(answerOf(said, said.etag, (entry) => keyOf(entry.conversation ?? "", entry.message)));
        },
    };
}
/** Messages of several conversations. */
export class Chats {
    #screen;
    constructor(client) {
        this.#screen = client.screen(queries);
    }
    /**
     * Asks for the message's receipts while it is on screen, and tells `listener` what is known and each change, until
     * the function that it returns is called.
     */
    watch(conversation, message, listener, target) {
        return this.#screen.watch(keyOf(conversation, message), listener, target);
    }
    /** What was told last; the same object until it changes. */
    receipts(conversation, message) {
        return this.#screen.receipts(keyOf(conversation, message));
    }
}
/** The list of chats of a client. */
export function chats(client) {
    return new Chats(client);
}
