/**
 * What a reader has seen, gathered and sent: a second's marks or a hundred at a time, until the server has them.
 *
 * Knows one conversation, and no screen: what counts as seen is decided in `conversation`.
 */
import { SeenbyError } from "./error.js";
import { backoffMs } from "./time.js";
const GATHER_MS = 1_000;
/** Marks in one request. */
const SENT_MAX = 100;
/** Marks that may wait. */
const WAITING_MAX = 10_000;
export class Marks {
    #failed;
    #lost;
    #waiting = new Map();
    #timer;
    #sending;
    #failures = 0;
    /** Whether the last failure was that there was no answer. */
    #isCutOff = false;
    #isClosed = false;
    /** How long to wait before the next request. */
    #waitMs = GATHER_MS;
    /** `lost` is told each message whose mark was let go. */
    constructor(post, failed, lost) {
        this.post = post;
        this.#failed = failed;
        this.#lost = lost;
    }
    /** The messages that wait. */
    get waiting() {
        return [...this.#waiting.keys()];
    }
    add(mark) {
        const { message } = mark;
        if (this.#waiting.size >= WAITING_MAX && !this.#waiting.has(message)) {
            return this.#refused(message, "too-many-items");
        }
        this.#waiting.set(message, mark);
        this.changed();
        this.#plan();
    }
    /** Others wait than before. */
    changed() { }
    /** The network is back: who lacked it tries at once. What a server asked for holds. */
    retry() {
        if (this.#isCutOff)
            void this.flush();
    }
    /** Sends what waits, also before a server's `Retry-After`; done when the server has it all, or one request has failed. */
    async flush() {
        if (this.#isClosed || !this.#waiting.size)
            return;
        // What is under way was gathered before.
        await this.#sending;
        await (this.#sending ??= this.#sendAll().finally(() => {
            this.#sending = undefined;
            this.#plan();
        }));
    }
    /** Sends what waits, once, and then nothing ever. */
    close() {
        const flushed = this.flush();
        this.#isClosed = true;
        return flushed;
    }
    async #sendAll() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#waitMs = GATHER_MS;
        this.#isCutOff = false;
        try {
            for (const marks of this.batches([...this.#waiting.values()])) {
                await this.#send(marks, false);
                this.#failures = 0;
            }
        }
        catch (error) {
            this.#failures += 1;
            this.#isCutOff = !error.status;
            this.#waitMs = backoffMs(this.#failures, GATHER_MS, error);
        }
    }
    /**
     * Sends all at once, before the page closes, whatever a server asked for: each request may outlive the page. What was
     * under way may not, and goes again. What fails goes on waiting for its time.
     */
    leave() {
        for (const marks of this.batches([...this.#waiting.values()]))
            this.#send(marks, true).catch(() => { });
    }
    #plan() {
        if (this.#isClosed || this.#sending || !this.#waiting.size)
            return;
        // A request's worth need not wait for more, unless one has failed.
        if (this.#waiting.size >= SENT_MAX && !this.#failures)
            return void this.flush();
        this.#timer ??= setTimeout(() => void this.flush(), this.#waitMs);
    }
    /** Parts of what waits, for one request each. */
    batches(marks) {
        const batches = [];
        for (let at = 0; at < marks.length; at += SENT_MAX)
            batches.push(marks.slice(at, at + SENT_MAX));
        return batches;
    }
    /** Sends one part; says what was refused. What it takes out of `marks` goes on waiting. */
    async ask(marks, keepalive) {
        return (await this.post({ messages: marks.map(({ message }) => message) }, keepalive)).refused ?? [];
    }
    async #send(marks, keepalive) {
        try {
            const refused = await this.ask(marks, keepalive);
            this.#drop(marks);
            for (const { message, code } of refused)
                this.#refused(message, code);
        }
        catch (error) {
            const failure = error;
            // A token may be had later; what is wrong with the request itself stays wrong.
            const isKept = failure.isPassing || failure.status === 401;
            if (!isKept) {
                this.#drop(marks);
                for (const { message } of marks)
                    this.#lost(message);
            }
            this.#failed(failure);
            if (isKept)
                throw failure;
        }
    }
    #refused(message, code) {
        this.#lost(message);
        this.#failed(new SeenbyError(200, code, `no mark of '${message}'`));
    }
    #drop(marks) {
        for (const mark of marks)
            if (this.#waiting.get(mark.message) === mark)
                this.#waiting.delete(mark.message);
        this.changed();
    }
}
