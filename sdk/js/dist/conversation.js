import { onScreen } from "./environment.js";
import { isId } from "./id.js";
import { Marks } from "./marks.js";
import { Screen } from "./screen.js";
import { pathOf, pulls } from "./source.js";
/** For how long a message has to be on screen to count as seen. */
const SEEN_MS = 500;
/** Messages that are known to be marked. */
const MARKED_MAX = 1_000;
export class Conversation extends Screen {
    /** The messages that are marked or on their way, each with its edition. */
    #marked = new Map();
    /** For each message whose time has not come, what looks at it again, and what ends that. */
    #seeing = new Map();
    /** Conversations come from `Client.conversation`. */
    constructor(id, world, options) {
        const { connection, failed } = world;
        const { user, source = pulls, marks = Marks } = options;
        super(source(connection, id), world);
        this.id = id;
        this.user = user;
        this.marks = new marks((said, keepalive) => connection.json("POST", pathOf(id) + "marks", { body: { reader: user, ...said }, keepalive }), failed, (message) => this.#marked.delete(message));
    }
    /** As every screen's; what is no id is told to `onError`, and left out. */
    look(message, target) {
        return isId(message, this.world.failed) ? super.look(message, target) : () => { };
    }
    /** Marks the message as read by this user, with what else is seen within a second. */
    mark(message, previous) {
        if (isId(message, this.world.failed))
            this.marks.add({ message, previous });
    }
    /**
     * Marks the message once it was really seen: half of it on screen, on a visible page, for half a second without
     * a break. Without a `target` it is on screen from now on. Once alone, unless the returned function is called before;
     * if the mark is refused or let go, the next call counts anew.
     */
    markWhenSeen(message, target, { previous, edition = "" } = {}) {
        if (this.#marked.get(message) === edition)
            return () => { };
        let isOnScreen = false;
        let timer;
        const end = () => {
            leave();
            this.#seeing.delete(look);
        };
        const seen = () => {
            end();
            // To mark some again does no harm.
            if (this.#marked.size >= MARKED_MAX)
                this.#marked.clear();
            this.#marked.set(message, edition);
            this.mark(message, previous);
        };
        const look = () => {
            clearTimeout(timer);
            if (isOnScreen && this.world.environment.isVisible())
                timer = setTimeout(seen, SEEN_MS);
        };
        this.#seeing.set(look, end);
        const leave = onScreen(this.world.environment, target, (is) => {
            isOnScreen = is;
            look();
        });
        return end;
    }
    /** The messages whose marks wait to be sent. */
    get waiting() {
        return this.marks.waiting;
    }
    /**
     * Sends the marks that wait, also before a server's `Retry-After`; done when the server has them, or could not be
     * reached and they go on waiting.
     */
    flush() {
        return this.marks.flush();
    }
    /** What the server says at a path below the conversation's: for parts of its own, such as `seenby/lists`. */
    get(path) {
        return this.world.connection.json("GET", pathOf(this.id) + path);
    }
    /** Asks no more, looks at nothing more, and sends the marks that wait, once. Later ones wait for another client. */
    close() {
        super.close();
        this.#seeing.forEach((end) => end());
        return this.marks.close();
    }
    /** The page or app came into view, went out of it, or has a network again. */
    changed(change) {
        super.changed(change);
        for (const look of this.#seeing.keys())
            look();
        if (change === "online")
            this.marks.retry();
        if (change === "hidden")
            this.marks.leave();
    }
}
