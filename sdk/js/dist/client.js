/** The way in: a client of one server, for one user, and its conversations. */
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { browser, headless } from "./environment.js";
import { tell } from "./error.js";
import { isId } from "./id.js";
import { Screen } from "./screen.js";
export class Client {
    #options;
    #screens;
    #conversations;
    #leave;
    #isClosed;
    /** Clients come from `createClient`. */
    constructor(options) {
        this.#screens = new Set();
        this.#conversations = new Map();
        this.#isClosed = false;
        /** Tells `onError`. */
        this.failed = (error) => tell(this.#options.onError, error);
        this.#options = options;
        this.connection = new Connection(options);
        this.environment = options.environment ?? (typeof document === "undefined" ? headless() : browser());
        this.#leave = this.environment.subscribe((change) => this.#screens.forEach((screen) => screen.changed(change)));
    }
    /** A conversation; the same object for the same id. What is no id is told to `onError`, and nothing of it ever sent. */
    conversation(id) {
        let conversation = this.#conversations.get(id);
        if (!conversation) {
            conversation = new Conversation(id, this, this.#options);
            this.#conversations.set(id, conversation);
            this.#add(conversation, isId(id, this.failed));
        }
        return conversation;
    }
    /** A screen of its own, for receipts that come from elsewhere than one conversation. */
    screen(source) {
        return this.#add(new Screen(source(this.connection), this), true);
    }
    /**
     * Asks no more, and sends the marks that wait; done when the server has them, or could not be reached. From now on
     * nothing is asked or marked any more by itself.
     */
    async close() {
        this.#isClosed = true;
        this.#leave();
        await Promise.all(Array.from(this.#screens, (screen) => screen.close()));
    }
    #add(screen, isOpen) {
        this.#screens.add(screen);
        if (this.#isClosed || !isOpen)
            void screen.close();
        return screen;
    }
}
/** A client of the server at `url`, for one user. */
export function createClient(options) {
    return new Client(options);
}
