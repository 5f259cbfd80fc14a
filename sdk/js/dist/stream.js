import { SeenbyError } from "./error.js";
import { answerOf, pathOf, pulls, queryOf } from "./source.js";
/** Reads events out of text that comes in pieces. */
export function events(told) {
    let rest = "";
    let event = { id: "", event: "", data: "" };
    return (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
            const [, field = "", value = ""] = /^([^:]*):? ?([^]*?)\r?$/.exec(line) ?? [];
            if (field in event)
                event[field] = value;
            else if (line.trim() === "" && event.event) {
                told(event);
                event = { id: "", event: "", data: "" };
            }
        }
    };
}
/** After so long without a byte there is nobody any more at the other end: a comment comes every 15 seconds. */
const SILENCE_MS = 45_000;
/** After how long a server that had no room for a stream is asked again. */
const PULLED_MS = 20_000;
/** A source of receipts for `Options.source`. */
export function stream({ forMs } = {}) {
    return (connection, conversation) => {
        const pulled = pulls(connection, conversation);
        let pullsUntil = -Infinity;
        return {
            lasts: true,
            // A timer cannot wait longer.
            forMs: forMs && Math.min(forMs, 2 ** 31 - 1),
            async ask(ask, told) {
                if (performance.now() < pullsUntil)
                    return pulled.ask(ask, told);
                try {
                    return await follow(connection, conversation, ask, told);
                }
                catch (error) {
                    const { code } = error;
                    if (code === "unknown-message") {
                        return told({ changed: new Map(ask.keys.map((key) => [key, undefined])), etag: ask.etag, poll: null });
                    }
                    if (code !== "too-many-streams" && code !== "no-stream")
                        throw error;
                    pullsUntil = performance.now() + PULLED_MS;
                    return pulled.ask(ask, told);
                }
            },
        };
    };
}
/** One stream, from its first event to its last. */
function follow(connection, conversation, ask, told) {
    const { keys, etag, signal } = ask;
    const path = `${pathOf(conversation)}receipts/stream?${queryOf(keys)}`;
    const headers = { Accept: "text/event-stream", ...(etag && { "Last-Event-ID": etag }) };
    return connection.send("GET", path, { headers, signal }, async (answer, mayLast) => {
        if (answer.status === 204)
            return;
        const body = answer.body?.getReader();
        if (!body)
            throw new SeenbyError(0, "no-stream", "this fetch cannot stream");
        const decoder = new TextDecoder();
        let isHeard = false;
        let hasEnded = false;
        const read = events(({ id, event, data }) => {
            if (event === "receipts")
                told(answerOf(JSON.parse(data), id, (entry) => entry.message));
            hasEnded ||= event === "end";
        });
        for (;;) {
            mayLast(SILENCE_MS);
            const { done, value } = await body.read();
            // The server goes, and all its streams with it: not all come back at once.
            if (done && !hasEnded)
                throw new SeenbyError(0, "network", "the stream was cut off");
            if (done)
                return;
            // A comment also says that it works, though there may be nothing new for long.
            if (!isHeard)
                told({ changed: new Map(), etag });
            isHeard = true;
            read(decoder.decode(value, { stream: true }));
        }
    });
}
