import { SeenbyError } from "./error.js";
import { backoffMs } from "./time.js";
const GATHER_MS = 1_000;
/** Marks in one request. */
const SENT_MAX = 100;
/** Marks that may wait. */
const WAITING_MAX = 10_000;
export class Marks {
    #connection;
    #path;
    #reader;
    #failed;
    #changed;
    /** Messages that were seen, each with the one before it in the conversation, where that is known; null: there is none. */
    #waiting = new Map();
    #upTo = new Set();
    /** Up to this one all is read. */
    #frontier;
    /** Before this one all is read. */
    #firstUnread;
    #timer;
    #isSending = false;
    #failures = 0;
    /** How long to wait before the next request. */
    #waitMs = GATHER_MS;
    constructor(connection, path, reader, failed, changed) {
        this.#connection = connection;
        this.#path = path + "marks";
        this.#reader = reader;
        this.#failed = failed;
        this.#changed = changed;
    }
    /** The messages that wait. */
    get waiting() {
        return [...this.#waiting.keys()];
    }
    add(message, previous) {
        if (this.#waiting.size >= WAITING_MAX && !this.#waiting.has(message)) {
            return this.#failed(new SeenbyError(0, "too-many-items", "too many marks wait"));
        }
        this.#waiting.set(message, previous);
        this.#changed();
        this.#plan();
    }
    addUpTo(message) {
        this.#upTo.add(message);
        this.#plan();
    }
    /** All before this message is read: the server says so. */
    readUntil(firstUnread) {
        this.#firstUnread = firstUnread;
    }
    /** The network is back. */
    retry() {
        if (this.#failures)
            void this.flush();
    }
    /** Sends what waits; done when the server has it all, or one request has failed. */
    async flush() {
        if (this.#isSending)
            return;
        this.#isSending = true;
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#waitMs = GATHER_MS;
        try {
            for (let said = this.#requests()[0]; said; said = this.#requests()[0]) {
                await this.#send(said, false);
                this.#failures = 0;
            }
        }
        catch (error) {
            this.#failures += 1;
            this.#waitMs = backoffMs(this.#failures, GATHER_MS, error);
        }
        this.#isSending = false;
        this.#plan();
    }
    /** Sends all at once, before the page closes: each request may outlive it. What was under way may not, and goes again. */
    leave() {
        for (const said of this.#requests())
            this.#send(said, true).catch(() => { });
    }
    #plan() {
        if (this.#isSending || !(this.#waiting.size + this.#upTo.size))
            return;
        const isFull = this.#waiting.size >= SENT_MAX && !this.#failures;
        if (isFull)
            void this.flush();
        else
            this.#timer ??= setTimeout(() => void this.flush(), this.#waitMs);
    }
    /** What waits, as requests. */
    #requests() {
        const said = Array.from(this.#upTo, (message) => ({
            body: { up_to: message },
            taken: [message],
            upTo: message,
        }));
        const run = this.#run();
        const last = run.at(-1);
        if (last !== undefined) {
            const body = run.length > 1 ? { up_to: last } : { messages: run };
            return [...said, { body, taken: run, upTo: last }];
        }
        const waiting = this.waiting;
        for (let at = 0; at < waiting.length; at += SENT_MAX) {
            const messages = waiting.slice(at, at + SENT_MAX);
            said.push({ body: { messages }, taken: messages });
        }
        return said;
    }
    /** What waits, in its order, if with it all is read up to the last of it: then "up to" says the same. Else nothing. */
    #run() {
        const next = new Map(Array.from(this.#waiting, ([message, previous]) => [previous, message]));
        const first = this.#firstUnread;
        const begins = first !== undefined && this.#waiting.has(first);
        const run = [];
        let at = begins ? first : next.get(this.#frontier ?? null);
        while (at !== undefined && run.length < this.#waiting.size) {
            run.push(at);
            at = next.get(at);
        }
        return run.length === this.#waiting.size ? run : [];
    }
    async #send({ body, taken, upTo }, keepalive) {
        const reader = this.#reader;
        try {
            const { refused } = await this.#connection.json("POST", this.#path, {
                body: { reader, ...body },
                keepalive,
            });
            if (!refused.length)
                this.#frontier = upTo ?? this.#frontier;
            this.#drop(taken);
            for (const { message, code } of refused)
                this.#failed(new SeenbyError(200, code, `no mark of '${message}'`));
        }
        catch (error) {
            const failure = error;
            // A token may be had later; what is wrong with the request itself stays wrong.
            const isKept = failure.isPassing || failure.status === 401;
            if (!isKept)
                this.#drop(taken);
            this.#failed(failure);
            if (isKept)
                throw failure;
        }
    }
    #drop(taken) {
        for (const message of taken) {
            this.#waiting.delete(message);
            this.#upTo.delete(message);
        }
        this.#changed();
    }
}
