/** The way in: a client of one server, for one user, and its conversations. */
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { browser, headless } from "./environment.js";
import { tell } from "./error.js";
import { Screen } from "./screen.js";
import { pulls } from "./source.js";
export class Client {
    #options;
    #connection;
    #environment;
    #screens = new Set();
    #conversations = new Map();
    #leave;
    /** Clients come from `createClient`. */
    constructor(options) {
        this.#options = options;
        this.#connection = new Connection(options);
        this.#environment = options.environment ?? (typeof document === "undefined" ? headless() : browser());
        this.#leave = this.#environment.subscribe((change) => this.#screens.forEach((screen) => screen.changed(change)));
    }
    /** A conversation; the same object for the same id. */
    conversation(id) {
        let conversation = this.#conversations.get(id);
        if (!conversation) {
            const { user, source = pulls } = this.#options;
            const connection = this.#connection;
            conversation = new Conversation(id, user, connection, source(connection, id), this.#environment, this.#failed, this.#waits);
            this.#conversations.set(id, conversation);
            this.#screens.add(conversation);
        }
        return conversation;
    }
    /** A screen of its own, for receipts that come from elsewhere than one conversation. */
    screen(source) {
        const screen = new Screen(source(this.#connection), this.#environment, this.#failed);
        this.#screens.add(screen);
        return screen;
    }
    /** Asks no more, and sends the marks that wait; done when the server has them, or could not be reached. */
    async close() {
        this.#leave();
        await Promise.all(Array.from(this.#screens, (screen) => screen.close()));
    }
    #waits = () => tell(this.#options.onWaiting, Array.from(this.#conversations, ([id, { waiting }]) => [id, waiting]));
    #failed = (error) => tell(this.#options.onError, error);
}
/** A client of the server at `url`, for one user. */
export function createClient(options) {
    return new Client(options);
}
