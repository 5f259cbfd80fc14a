/**
 * The sender's phone: the chat, what the SDK is asked to watch and to mark, and what of it is asked for just now.
 *
 * Has the SDK's conversation from `use`; a new one takes the place of the last.
 */
import { write } from "./dom.js";
import { messageOf, Own } from "./message.js";

/** The oldest go when there are more. */
const SHOWN_MAX = 300;
/** So near to its end the chat follows what is new. */
const NEAR_PX = 80;

export class Phone {
  #scroller;
  #list;
  #state;
  #opened;
  #lost;
  /** By id, oldest first. */
  #messages = new Map();
  /** What ends the SDK's watching, by id. */
  #leave = new Map();
  #marked = new Set();
  /** The last of another's messages that went; null: none did. */
  #goneBefore = null;
  /** The SDK's conversation, and what it is told of the user's looks. */
  #conversation;
  #looks;
  #word = "Pull";

  /** `opened` is called with a message whose receipts are chosen, `lost` when the server does not know one any more. */
  constructor({ scroller, list, state, opened, lost }) {
    this.#scroller = scroller;
    this.#list = list;
    this.#state = state;
    this.#opened = opened;
    this.#lost = lost;
  }

  /** The chat as it was before the page came, marked up to the message `seen`. */
  begin(history, seen) {
    history.forEach((message) => this.#add(message));
    const ids = history.map(({ id }) => id);
    this.registered(ids);
    this.marked(ids.slice(0, ids.indexOf(seen) + 1));
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Something was said. */
  said(message) {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    const added = this.#add(message);
    if (follows || added instanceof Own) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    for (const [id, message] of this.#messages) {
      if (this.#messages.size <= SHOWN_MAX) break;
      if (!(message instanceof Own)) this.#goneBefore = id;
      message.element.remove();
      this.#messages.delete(id);
      this.#leave.get(id)?.();
      this.#leave.delete(id);
    }
  }

  #add(message) {
    const added = messageOf(message, this.#opened);
    this.#messages.set(message.id, added);
    this.#list.append(added.element);
    return added;
  }

  /** The server knows these. */
  registered(ids) {
    for (const id of ids) {
      const message = this.#messages.get(id);
      if (message instanceof Own) message.registered();
      if (message) message.isKnown = true;
      this.#attend(id);
    }
  }

  /** The server has the phone's marks of these. */
  marked(ids) {
    for (const id of ids) {
      this.#marked.add(id);
      const message = this.#messages.get(id);
      if (message && !(message instanceof Own)) message.marked();
    }
  }

  /** It has the mark up to this message. */
  markedUpTo(last) {
    const ids = [...this.#messages.keys()];
    this.marked(ids.slice(0, ids.indexOf(last) + 1));
  }

  /** A conversation of the SDK, in place of the last one. */
  use(conversation, looks, word) {
    this.#leave.forEach((leave) => leave());
    this.#leave.clear();
    this.#conversation = conversation;
    this.#looks = looks;
    this.#word = word;
    for (const id of this.#messages.keys()) this.#attend(id);
  }

  /** Has the SDK watch the message, or mark it once it is seen. */
  #attend(id) {
    const message = this.#messages.get(id);
    if (!message?.isKnown || !this.#conversation || this.#leave.has(id)) return;
    const { element } = message;
    if (message instanceof Own) {
      const told = (receipts) => {
        message.show(receipts);
        if (!receipts) this.#lost();
      };
      this.#leave.set(id, this.#conversation.watch(id, told, element));
    } else if (!this.#marked.has(id)) {
      const previous = this.#before(id);
      this.#leave.set(id, this.#conversation.markWhenSeen(id, element, { previous }));
    }
  }

  /** The message of another before this one, if that is known; null: there is none. The phone's own need no mark. */
  #before(id) {
    let before = this.#goneBefore;
    for (const [at, message] of this.#messages) {
      if (at === id) break;
      if (!(message instanceof Own)) before = at;
    }
    return before;
  }

  /** A pull named these just now. */
  pulse(ids) {
    for (const id of ids) this.#messages.get(id)?.pulse?.();
  }

  /**
   * Shows for how long each message is asked for yet, and says in a word what is going on: see `STATES`. `isCutOff`: there
   * is no answer just now; `isForgotten`: the server does not know the chat any more.
   */
  look(isCutOff, isForgotten) {
    let asked = 0;
    let inView = 0;
    let open = 0;
    let unknown = 0;
    let longestMs = 0;
    for (const message of this.#messages.values()) {
      if (!(message instanceof Own)) continue;
      const isOnScreen = this.#looks.isOnScreen(message.element);
      const { ms, part } = message.isSettled ? { ms: 0, part: 0 } : this.#looks.left(message.element);
      message.showLeft(part);
      inView += isOnScreen ? 1 : 0;
      open += isOnScreen && !message.isSettled ? 1 : 0;
      unknown += isOnScreen && message.isUnknown ? 1 : 0;
      asked += ms > 0 ? 1 : 0;
      longestMs = Math.max(longestMs, ms);
    }
    const quiet = open ? "over" : unknown ? "unknown" : inView ? "done" : "away";
    const state = isForgotten ? "forgotten" : asked ? (isCutOff ? "again" : "asking") : quiet;
    const noun = asked === 1 ? "message" : "messages";
    const left = longestMs === Infinity ? "" : `, ${Math.ceil(longestMs / 1_000)} s left`;
    const asking = `${this.#word}ing ${asked} ${noun}${left}`;
    write(this.#state, state === "asking" ? asking : STATES[state](this.#word));
    if (this.#state.dataset.state !== state) this.#state.dataset.state = state;
    return state;
  }
}

/** Why nothing is asked for, or nothing is heard. */
const STATES = {
  forgotten: () => "No receipts: the server does not know this chat",
  again: () => "Trying again",
  over: (word) => `${word}s have stopped: the look is over`,
  unknown: (word) => `No ${word.toLowerCase()}s: the server does not know these any more`,
  done: (word) => `No ${word.toLowerCase()}s: all have read these`,
  away: (word) => `No ${word.toLowerCase()}s: no message of yours in view`,
};
