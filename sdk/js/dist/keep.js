/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { Client } from "./client.js";
import { tell } from "./error.js";
import { Marks } from "./marks.js";
/** A client as `createClient` makes it, whose marks are kept. */
export function createKeepingClient(keep, options) {
    // By server and user: what one has seen, no other has.
    const key = `seenby:${options.url}:${options.user}`;
    /** What is kept of this client; the rest is of others, such as the same user's in another tab. */
    let own = new Set();
    let isSaving = false;
    let saved = load().catch(() => { });
    const client = new KeepingClient(options, changed);
    function changed() {
        // One after the other, and of those that come meanwhile the last alone.
        if (!isSaving)
            saved = saved.then(save).catch(() => { });
        isSaving = true;
        if (options.onWaiting)
            tell(options.onWaiting, client.waiting);
    }
    /** A store that is full loses nothing of what is in memory. */
    async function save() {
        const others = (await kept()).filter((mark) => !own.has(mark));
        isSaving = false;
        const waiting = client.waiting.flatMap(([id, messages]) => messages.map((message) => JSON.stringify([id, message])));
        await keep.setItem(key, JSON.stringify([...new Set([...others, ...waiting])]));
        own = new Set(waiting);
    }
    /** What the store holds: each mark as the JSON of its conversation and its message. What cannot be read is not ours. */
    async function kept() {
        try {
            const marks = JSON.parse((await keep.getItem(key)) ?? "[]");
            return Array.isArray(marks) ? marks : [];
        }
        catch {
            return [];
        }
    }
    async function load() {
        const marks = await kept();
        own = new Set(marks);
        for (const mark of marks) {
            const [id, message] = JSON.parse(mark);
            client.conversation(id).mark(message);
        }
    }
    return client;
}
/** A client that says what waits, and when that changes. */
class KeepingClient extends Client {
    #made = new Set();
    constructor(options, changed) {
        const marks = class extends (options.marks ?? Marks) {
            changed() {
                changed();
            }
        };
        super({ ...options, marks });
    }
    conversation(id) {
        const conversation = super.conversation(id);
        this.#made.add(conversation);
        return conversation;
    }
    get waiting() {
        return Array.from(this.#made, ({ id, waiting }) => [id, waiting]);
    }
}
