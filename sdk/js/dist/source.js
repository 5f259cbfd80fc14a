/** The answer in a body, with the key of each entry. */
export function answerOf(body, etag, key) {
    const changed = new Map(body.receipts.map((entry) => {
        const { read, of } = entry;
        return [key(entry), of === undefined ? of : { read: read, of }];
    }));
    return { changed, etag, poll: body.poll };
}
/** The path of a conversation, below `/v1/`. */
export const pathOf = (conversation) => `conversations/${encodeURIComponent(conversation)}/`;
/** The messages as a query. */
export const queryOf = (messages) => messages.map((message) => "message=" + encodeURIComponent(message)).join("&");
/** Pulls of one conversation; keys are ids of messages. */
export function pulls(connection, conversation) {
    return {
        lasts: false,
        ask: ({ keys, etag, signal }, told) => connection.send("GET", 
        // What has changed alone, only if we say since when: else a cache would say it for us.
        `${pathOf(conversation)}receipts?${queryOf(keys)}${etag ? "&changed=1" : ""}`, { headers: etag ? { "If-None-Match": `"${etag}"` } : {}, signal }, async (answer) => {
            if (answer.status === 304) {
                // Read to its end, or Chromium's record has it as cancelled.
                await answer.text();
                const paceS = Number(answer.headers.get("Cache-Control")?.match(/max-age=(\d+)/)?.[1]);
                // Without a pace, nothing can change any more.
                told({ changed: new Map(), etag, ...(paceS >= 0 ? { paceS } : { poll: null }) });
            }
            else {
                const named = answer.headers.get("ETag")?.replace(/^W\/|"/g, "");
                told(answerOf(await answer.json(), named, (entry) => entry.message));
            }
        }),
    };
}
