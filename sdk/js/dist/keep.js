/** Marks outlive the page: those that could not be sent are kept, and sent by the next client of the same user. */
import { createClient } from "./client.js";
/** A client as `createClient` makes it, whose marks are kept. */
export function createKeepingClient(keep, options) {
    // By user: what one has seen, no other has.
    const key = `seenby:${options.user}`;
    let saved = load();
    const client = createClient({
        ...options,
        onWaiting(waiting) {
            options.onWaiting?.(waiting);
            const text = JSON.stringify(waiting.filter(([, messages]) => messages.length));
            // One after the other. A store that is full loses nothing of what is in memory.
            saved = saved.then(() => keep.setItem(key, text)).catch(() => { });
        },
    });
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
