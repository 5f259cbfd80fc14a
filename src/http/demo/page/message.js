/** One message in the chat: the sender's own with its receipts, the others' with whether it was marked as read. */
import { html, write } from "./dom.js";
import { count, time } from "./format.js";
import { avatar, nameOf, SENDER } from "./people.js";
import { Ring } from "./ring.js";

/** What is said of a message's receipts. */
export function told(receipts) {
  if (!receipts) return "No receipts any more";
  const { read, of } = receipts;
  return read === of ? `All ${count(of)} have read` : `${count(read)} of ${count(of)} have read`;
}

function clock(at) {
  return html("time", { datetime: new Date(at).toISOString() }, time(at));
}

/** What the phone's user sent. */
export class Own {
  element;
  receipts;
  /** Whether nothing can change any more: all have read it, or it has expired. */
  isSettled = false;
  isUnknown = false;
  #ring = new Ring();
  #button;
  #count = html("span", { class: "count" });
  #left = html("span", { class: "left" });
  #shownLeft = "";

  /** `opened` is called with the message when its receipts are chosen. */
  constructor({ id, text, at }, opened) {
    this.id = id;
    this.text = text;
    const attributes = { type: "button", class: "receipt", "data-receipt": id, "aria-haspopup": "dialog" };
    this.#button = html("button", attributes, this.#ring.element, this.#count);
    this.#button.disabled = true;
    this.#button.addEventListener("click", () => opened(this));
    this.#say("Sending");
    const foot = html("div", { class: "foot" }, this.#button, clock(at));
    const says = html("p", { class: "text" }, text);
    this.element = html("li", { class: "message own", "data-message": id }, says, foot, this.#left);
  }

  /** The server knows it. */
  registered() {
    if (!this.receipts) this.#say("Sent");
    this.#button.disabled = false;
  }

  /** What the server says of it; nothing, if it does not know it any more. */
  show(receipts) {
    this.receipts = receipts;
    this.isUnknown = !receipts;
    this.isSettled = !receipts || receipts.read === receipts.of;
    this.#say(told(receipts));
    this.#ring.show(receipts ?? { read: 0, of: 0 });
  }

  /** In the chat the button stands below its text; by itself it has to name it. */
  #say(state) {
    write(this.#count, state);
    this.#button.ariaLabel = `${this.text}: ${state}`;
  }

  pulse() {
    this.#ring.pulse();
  }

  /** What part of the look is left while it is asked for; 0 if it is not. */
  showLeft(part) {
    const left = part.toFixed(3);
    if (left === this.#shownLeft) return;
    this.#shownLeft = left;
    this.element.toggleAttribute("data-asked", part > 0);
    this.#left.style.setProperty("--left", left);
  }
}

/** What somebody else sent. */
export class Foreign {
  element;
  #seen = html("span", { class: "seen" });

  constructor({ id, sender, text, at }) {
    this.id = id;
    const name = html("p", { class: "name" }, nameOf(sender));
    const foot = html("div", { class: "foot" }, this.#seen, clock(at));
    const bubble = html("div", { class: "bubble" }, name, html("p", { class: "text" }, text), foot);
    this.element = html("li", { class: "message foreign", "data-message": id }, avatar(sender), bubble);
  }

  /** The server has the phone's mark of it. */
  marked() {
    write(this.#seen, "marked as read");
    this.element.dataset.marked = "";
  }
}

/** The element and all it can do, for a message of the phone's user or of another. */
export const messageOf = (message, opened) => (message.sender === SENDER ? new Own(message, opened) : new Foreign(message));
