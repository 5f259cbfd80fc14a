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
    #environment;
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
        this.#environment = environment;
        this.#marks = new Marks(connection, this.#path, user, failed, waits);
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
        const look = () => {
            clearTimeout(timer);
            if (isOnScreen && this.#environment.isVisible())
                timer = setTimeout(seen, SEEN_MS);
        };
        const told = (is) => {
            if (is === isOnScreen)
                return;
            isOnScreen = is;
            look();
        };
        let leave;
        const end = () => {
            leave?.();
            told(false);
            this.#seeing.delete(look);
        };
        const seen = () => {
            end();
            this.#remember(marked);
            this.mark(message, previous);
        };
        this.#seeing.add(look);
        leave = target === undefined ? told(true) : this.#environment.observe(target, told);
        return end;
    }
    #remember(marked) {
        this.#marked.add(marked);
        for (const oldest of this.#marked) {
            if (this.#marked.size <= MARKED_MAX)
                break;
            this.#marked.delete(oldest);
        }
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
        const path = `${this.#path}readers/${encodeURIComponent(this.#user ?? "")}`;
        const said = await this.#connection.json("GET", path);
        this.#marks.readUntil(said.first_unread);
        return { unread: said.unread, firstUnread: said.first_unread };
    }
    /** A part of one of the message's two lists; `seenby/lists` walks along them. */
    users(message, half, query) {
        return this.#connection.json("GET", `${this.#path}messages/${encodeURIComponent(message)}/${half}?${query}`);
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
