import { onScreen } from "./environment.js";
import { SeenbyError, tell } from "./error.js";
import { backoffMs, HOUR_MS, within } from "./time.js";
/** Messages that one request may ask for. */
const ASKED_MAX = 100;
/** Messages of which is kept what was told last, though nobody listens. */
const KEPT_MAX = 1_000;
/** A look ends after a day, whatever a server says. */
const FOR_MS_MAX = 24 * HOUR_MS;
/** What comes on screen together is asked for together. */
const GATHER_MS = 50;
export class Screen {
    #source;
    #watched = new Map();
    #timer;
    #asking;
    #etag;
    #everyMs = 2_000;
    #forMs;
    #askedAt = -Infinity;
    /** Not before this, whatever comes on screen. */
    #notBefore = 0;
    #failures = 0;
    /** Whether the last failure was that there was no answer. */
    #isCutOff = false;
    #isClosed = false;
    constructor(source, world) {
        this.#source = source;
        this.#forMs = source.forMs ?? 20_000;
        this.world = world;
    }
    /** What was told last of a message; the same object until it changes. */
    receipts(key) {
        return this.#watched.get(key)?.receipts;
    }
    /** Tells `listener` of the message when something changes, until the function that it returns is called. */
    subscribe(key, listener) {
        const [{ listeners }, release] = this.#hold(key);
        // Its own, so that one listener may listen twice.
        const told = (receipts) => tell(listener, receipts);
        listeners.add(told);
        return () => {
            listeners.delete(told);
            release();
        };
    }
    /** Both: asks, and tells, and first what is known already. */
    watch(key, listener, target) {
        const known = this.receipts(key);
        const silence = this.subscribe(key, listener);
        const leave = this.look(key, target);
        if (known)
            tell(listener, known);
        return () => {
            leave();
            silence();
        };
    }
    /** Asks for the message while `target` is on screen, or from now on if there is none, until the returned function is called. */
    look(key, target) {
        const [watched, release] = this.#hold(key);
        const leave = onScreen(this.world.environment, target, (is) => {
            watched.places += is ? 1 : -1;
            if (is)
                this.#begin(watched);
            this.#plan();
        });
        return () => {
            leave();
            release();
        };
    }
    /** The page came into view or went out of it, or the network is back. */
    changed(change) {
        if (change === "online" && !this.#failures)
            return;
        if (change !== "hidden") {
            // What a server asked for holds also in a new look.
            if (this.#isCutOff)
                this.#notBefore = 0;
            this.#watched.forEach((watched) => this.#begin(watched));
        }
        this.#plan();
    }
    /** Asks no more. */
    close() {
        this.#isClosed = true;
        this.#asking?.abort();
        this.#plan();
    }
    /** The message, which is remembered at least until the function is called that comes with it. */
    #hold(key) {
        const watched = this.#watched.get(key) ?? { listeners: new Set(), holders: 0, places: 0, since: 0, askedAt: 0 };
        // The last asked for is the last in the map.
        this.#watched.delete(key);
        this.#watched.set(key, watched);
        watched.holders += 1;
        let isHeld = 1;
        const release = () => {
            watched.holders -= isHeld;
            isHeld = 0;
            this.#forget();
        };
        return [watched, release];
    }
    /** Forgets those that nobody has asked for in long; not while an ask is under way, whose answer may name them. */
    #forget() {
        for (const [key, { holders }] of this.#watched) {
            if (this.#watched.size <= KEPT_MAX || this.#asking)
                break;
            if (holders)
                continue;
            this.#watched.delete(key);
            // The server must not take for known what is known no more.
            this.#etag = undefined;
        }
    }
    #begin(watched) {
        watched.since = performance.now();
        watched.askedAt = 0;
    }
    /** The messages that are looked at, first those that were not asked for yet: of more than one may ask for, each has its turn. */
    #looked(now) {
        if (this.#isClosed || !this.world.environment.isVisible())
            return [];
        return [...this.#watched]
            .filter(([, { places, since }]) => places && now <= since + this.#forMs)
            .sort(([, a], [, b]) => a.askedAt - b.askedAt || a.since - b.since)
            .slice(0, ASKED_MAX);
    }
    /** Sees to it that the next ask comes when it is due, if one is. */
    #plan() {
        clearTimeout(this.#timer);
        const now = performance.now();
        const looked = this.#looked(now);
        const first = looked[0]?.[1];
        const { lasts } = this.#source;
        if (!first && lasts)
            this.#asking?.abort();
        if (!first || (this.#asking && !lasts))
            return;
        // A new look is not kept waiting for the others' turn, and still costs at most four times their pace.
        // What lasts ends with the last look, and makes way for one that also has the newcomers.
        const due = !first.askedAt
            ? Math.max(first.since + GATHER_MS, this.#askedAt + this.#everyMs / 4)
            : this.#asking
                ? Math.max(...looked.map(([, { since }]) => since)) + this.#forMs
                : this.#askedAt + this.#everyMs * (1 + Math.random() / 10);
        const act = () => (this.#asking ? this.#asking.abort() : void this.#ask());
        this.#timer = setTimeout(act, Math.max(due, this.#notBefore) - now);
    }
    async #ask() {
        const now = performance.now();
        const looked = this.#looked(now);
        if (!looked.length)
            return;
        this.#askedAt = now;
        for (const [, watched] of looked)
            watched.askedAt = now;
        const ends = (this.#asking = new AbortController());
        this.#plan();
        try {
            const keys = looked.map(([key]) => key);
            await this.#source.ask({ keys, etag: this.#etag, signal: ends.signal }, (answer) => {
                this.#failures = 0;
                this.#take(answer, looked);
                this.#plan();
            });
        }
        catch (error) {
            // What we ended has not failed.
            if (!ends.signal.aborted)
                this.#fail(SeenbyError.of(error), looked);
        }
        this.#asking = undefined;
        this.#forget();
        this.#plan();
    }
    #take({ changed, etag, poll, paceS }, looked) {
        this.#etag = etag;
        if (poll) {
            this.#everyMs = within(poll.every_ms, HOUR_MS, this.#everyMs);
            this.#forMs = this.#source.forMs ?? within(poll.for_ms, FOR_MS_MAX, this.#forMs);
        }
        else if (poll === null) {
            this.#end(looked);
        }
        else if (paceS !== undefined && paceS !== Math.floor(this.#everyMs / 1_000)) {
            // Rounded down, it may say 0, which would be no pace.
            this.#everyMs = within((paceS || 1) * 1_000, HOUR_MS, 0);
        }
        for (const [key, watched] of looked) {
            const told = changed.get(key);
            const { receipts } = watched;
            if (!changed.has(key) || (told && told.read === receipts?.read && told.of === receipts.of))
                continue;
            watched.receipts = told;
            watched.listeners.forEach((listener) => listener(told));
        }
    }
    #end(looked) {
        // A look that has begun anew meanwhile was not asked for yet, and goes on.
        for (const [, watched] of looked)
            if (watched.askedAt)
                watched.since = -Infinity;
    }
    #fail(error, looked) {
        this.#failures += 1;
        this.#notBefore = performance.now() + backoffMs(this.#failures, this.#everyMs, error);
        this.#isCutOff = !error.status;
        if (!error.isPassing)
            this.#end(looked);
        this.world.failed(error);
    }
}
