/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { createClient } from "./client.js";
/** A client as `createClient` makes it, whose marks are kept. */
export function createKeepingClient(keep, options) {
    // By user: what one has seen, no other has.
    const key = `seenby:${options.user}`;
    let saved = load();
    let unsaved;
    const client = createClient({
        ...options,
        onWaiting(waiting) {
            options.onWaiting?.(waiting);
            // One after the other, and of those that come meanwhile the last alone.
            if (!unsaved)
                saved = saved.then(save).catch(() => { });
            unsaved = waiting;
        },
    });
    /** A store that is full loses nothing of what is in memory. */
    function save() {
        const text = JSON.stringify(unsaved?.filter(([, messages]) => messages.length));
        unsaved = undefined;
        return keep.setItem(key, text);
    }
    async function load() {
        try {
            const kept = JSON.parse((await keep.getItem(key)) ?? "[]");
            for (const [id, messages] of kept)
                for (const message of messages)
                    client.conversation(id).mark(message);
        }
        catch {
            // What cannot be read is not ours.
        }
    }
    return client;
}
