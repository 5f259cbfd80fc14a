import { SeenbyError } from "./error.js";
import { isId } from "./id.js";
import { Marks } from "./marks.js";
/** Marks "up to" that may wait, of those that were asked for by themselves: each is a request. */
const UP_TO_MAX = 100;
/** What the user of the client still has to read in the conversation. */
export async function badge(conversation) {
    const { marks, user } = conversation;
    if (!user)
        throw new SeenbyError(400, "bad-request", "a badge needs the client's `user`");
    const { unread, first_unread: firstUnread } = await conversation.get("readers/" + encodeURIComponent(user));
    if (marks instanceof UpTo)
        marks.readUntil(firstUnread);
    return { unread, firstUnread };
}
/** Marks all up to and including the message, seen or not. The client must have been made with `marks: UpTo`. */
export function markUpTo({ marks }, message) {
    if (!(marks instanceof UpTo))
        throw new TypeError("the client has no `marks: UpTo`");
    marks.addUpTo(message);
}
/** Marks of which an unbroken run is sent as "up to" its last: for `Options.marks`. */
export class UpTo extends Marks {
    #failed;
    /** Those that were asked for by themselves, by their messages. */
    #asked = new Map();
    /** What a request that is to be made says in place of its messages. */
    #said = new WeakMap();
    /** Up to this one all is read; null: nobody knows. */
    #frontier = null;
    /** Before this one all is read. */
    #firstUnread;
    /** Whether "up to" was refused last: then marks are sent by themselves, until some have arrived. */
    #isRefused = false;
    constructor(post, failed, lost) {
        super(post, failed, (message) => {
            this.#asked.delete(message);
            lost(message);
        });
        this.#failed = failed;
    }
    /** All before this message is read: the server says so. Nothing, if all is. */
    readUntil(firstUnread) {
        this.#firstUnread = firstUnread;
    }
    addUpTo(message) {
        if (!isId(message, this.#failed))
            return;
        if (this.#asked.size >= UP_TO_MAX && !this.#asked.has(message)) {
            return this.#failed(new SeenbyError(200, "too-many-items", `no mark up to '${message}'`));
        }
        this.#asked.set(message, { message });
        this.add({ message });
    }
    /** A mark of a message up to which all is to be marked means that as well. */
    add(mark) {
        if (this.#asked.has(mark.message))
            this.#asked.set(mark.message, mark);
        super.add(mark);
    }
    batches(marks) {
        const isAsked = (mark) => this.#asked.get(mark.message) === mark;
        const asked = marks.filter(isAsked).map((mark) => this.#saying(mark.message, [mark]));
        const seen = marks.filter((mark) => !isAsked(mark));
        const last = this.#isRefused ? undefined : this.#last(seen);
        return [...asked, ...(last === undefined ? super.batches(seen) : [this.#saying(last, seen)])];
    }
    #saying(upTo, marks) {
        this.#said.set(marks, upTo);
        return marks;
    }
    async ask(marks, keepalive) {
        const upTo = this.#said.get(marks);
        const refused = upTo === undefined ? await super.ask(marks, keepalive) : ((await this.post({ up_to: upTo }, keepalive)).refused ?? []);
        this.#isRefused = upTo !== undefined && refused.length > 0;
        if (this.#isRefused) {
            // Nothing is marked then: those before it have to be sent again, without it.
            marks.splice(0, marks.length, ...marks.filter(({ message }) => message === upTo));
        }
        else if (upTo !== undefined) {
            this.#frontier = upTo;
            for (const mark of marks)
                if (this.#asked.get(mark.message) === mark)
                    this.#asked.delete(mark.message);
        }
        return refused;
    }
    /** The last of these marks, if with them all is read up to there. */
    #last(marks) {
        const next = new Map(marks.map(({ message, previous }) => [previous, message]));
        const first = this.#firstUnread;
        let at = marks.some(({ message }) => message === first) ? first : next.get(this.#frontier);
        let last;
        let left = marks.length;
        for (; at !== undefined && left; left -= 1) {
            last = at;
            at = next.get(at);
        }
        return left ? undefined : last;
    }
}
