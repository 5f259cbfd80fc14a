import { onScreen } from "./environment.js";
import { Marks } from "./marks.js";
import { Screen } from "./screen.js";
import { pathOf } from "./source.js";
/** For how long a message has to be on screen to count as seen. */
const SEEN_MS = 500;
/** Messages that are known to be marked. */
const MARKED_MAX = 1_000;
export class Conversation extends Screen {
    #path;
    #user;
    #connection;
    #marks;
    #marked = new Set();
    /** The messages on screen whose time has not come. */
    #seeing = new Set();
    /** Conversations come from `Client.conversation`. */
    constructor(id, user, connection, source, environment, failed, waits) {
        super(source, environment, failed);
        this.#path = pathOf(id);
        this.#user = user;
        this.#connection = connection;
        const path = this.#path + "marks";
        this.#marks = new Marks((said, keepalive) => connection.json("POST", path, { body: { reader: user, ...said }, keepalive }), failed, waits);
    }
    /** Marks the message as read by this user, with what else is seen within a second. */
    mark(message, previous) {
        this.#marks.add(message, previous);
    }
    /** Marks all up to and including the message. */
    markUpTo(message) {
        this.#marks.addUpTo(message);
    }
    /**
     * Marks the message once it was really seen: half of it on screen, on a visible page, for half a second without
     * a break. Without a `target` it is on screen from now on. Once alone, unless the returned function is called before.
     */
    markWhenSeen(message, target, { previous, edition } = {}) {
        const marked = JSON.stringify([message, edition]);
        if (this.#marked.has(marked))
            return () => { };
        let isOnScreen = false;
        let timer;
        const end = () => {
            leave();
            this.#seeing.delete(look);
        };
        const seen = () => {
            end();
            this.#marked.add(marked);
            const [oldest = ""] = this.#marked;
            if (this.#marked.size > MARKED_MAX)
                this.#marked.delete(oldest);
            this.mark(message, previous);
        };
        const look = () => {
            clearTimeout(timer);
            if (isOnScreen && this.environment.isVisible())
                timer = setTimeout(seen, SEEN_MS);
        };
        this.#seeing.add(look);
        const leave = onScreen(this.environment, target, (is) => {
            isOnScreen = is;
            look();
        });
        return end;
    }
    /** The messages whose marks wait to be sent. */
    get waiting() {
        return this.#marks.waiting;
    }
    /** Sends the marks that wait; done when the server has them, or could not be reached and they go on waiting. */
    flush() {
        return this.#marks.flush();
    }
    /** What the user of this client still has to read. */
    async badge() {
        const { unread, first_unread: firstUnread } = await this.get("readers/" + encodeURIComponent(this.#user ?? ""));
        this.#marks.readUntil(firstUnread ?? "");
        return { unread, firstUnread };
    }
    /** What the server says at a path below the conversation's: for parts of its own, such as `seenby/lists`. */
    get(path) {
        return this.#connection.json("GET", this.#path + path);
    }
    /** Asks no more, and sends the marks that wait, once. */
    async close() {
        super.close();
        await this.#marks.close();
    }
    /** The page or app came into view, went out of it, or has a network again. */
    changed(change) {
        super.changed(change);
        this.#seeing.forEach((look) => look());
        if (change === "online")
            this.#marks.retry();
        if (change === "hidden")
            this.#marks.leave();
    }
}
