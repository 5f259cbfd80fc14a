import { isId } from "./id.js";
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
    #client;
    #screen;
    constructor(client) {
        this.#client = client;
        this.#screen = client.screen(queries);
    }
    /**
     * Asks for the message's receipts while it is on screen, and tells `listener` what is known and each change, until
     * the function that it returns is called. What is no id is told to `onError`, and left out.
     */
    watch(conversation, message, listener, target) {
        const areIds = [conversation, message].every((id) => isId(id, this.#client.failed));
        if (!areIds)
            return () => { };
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
