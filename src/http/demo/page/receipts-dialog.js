/** Who has read a message and who has not, in a dialog: part by part as the SDK walks along the lists, and searchable. */
import { html, write } from "./dom.js";
import { count } from "./format.js";
import { told } from "./message.js";
import { avatar, nameOf } from "./people.js";
import { Ring } from "./ring.js";
import { nonReaders, readers } from "./sdk/lists.js";

const PART = 100;
const HALVES = { readers, unread: nonReaders };

export class ReceiptsDialog {
  #dialog;
  #find;
  #ring = new Ring();
  #conversation;
  #message;
  /** The walk along the chosen list, and whom it has brought. */
  #walk;
  #users = [];
  #isLoading = false;
  #isAtEnd = false;
  /** What ended the walk before its end. */
  #failure;
  /** How many had read when the list was begun, and how many are on it. */
  #begunAt = 0;
  #length = 0;

  constructor(dialog) {
    this.#dialog = dialog;
    this.#find = (name) => dialog.querySelector(`[data-part=${name}]`);
    this.#find("ring").append(this.#ring.element);
    dialog.addEventListener("change", ({ target }) => target.name === "half" && this.#begin());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    this.#find("close").addEventListener("click", () => dialog.close());
    this.#find("search").addEventListener("input", () => this.#search());
    this.#find("more").addEventListener("click", () => this.#load());
    this.#find("again").addEventListener("click", () => this.#begin());
    new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#load()).observe(this.#find("more"));
  }

  /** For this message; its button has the focus again when the dialog is closed. */
  open(conversation, message) {
    this.#conversation = conversation;
    this.#message = message;
    write(this.#find("text"), message.text);
    this.#find("search").value = "";
    this.#dialog.querySelector("[name=half][value=readers]").checked = true;
    this.#dialog.showModal();
    this.#begin();
  }

  /** The message's receipts have changed, maybe. */
  show() {
    if (!this.#dialog.open) return;
    const { read, of } = this.#message.receipts ?? { read: 0, of: 0 };
    this.#ring.show({ read, of });
    write(this.#find("told"), told(this.#message.receipts));
    write(this.#find("readers"), count(read));
    write(this.#find("unread"), count(of - read));
    const since = read - this.#begunAt;
    this.#find("again").hidden = since <= 0 && !this.#failure;
    const more = `${count(since)} more ${since === 1 ? "has" : "have"} read since: update`;
    write(this.#find("again"), this.#failure ? "Try again" : more);
  }

  /** What keeps the page from the server: its own word on that is behind the dialog. */
  warn(says) {
    write(this.#find("trouble"), says);
  }

  /** The server answers: a list that could not be had may be there now. */
  retry() {
    if (this.#dialog.open && this.#failure?.isPassing) this.#begin();
  }

  #begin() {
    this.#walk = HALVES[this.#half](this.#conversation, this.#message.id, { limit: PART });
    this.#users = [];
    this.#isAtEnd = false;
    this.#isLoading = false;
    this.#failure = undefined;
    this.#begunAt = Infinity;
    this.#length = 0;
    this.#find("list").replaceChildren();
    this.#search();
    this.show();
  }

  get #half() {
    return this.#dialog.querySelector("[name=half]:checked").value;
  }

  /** What the first part says of the whole. */
  #begun(half, { read, of }) {
    this.#begunAt = read;
    this.#length = half === "readers" ? read : of - read;
  }

  get #sought() {
    return this.#find("search").value.trim().toLowerCase();
  }

  #search() {
    const found = this.#users.filter((user) => this.#isSought(user));
    this.#find("list").replaceChildren(...found.map(row));
    this.#tell();
    if (!this.#users.length || this.#sought) void this.#load();
  }

  #isSought(user) {
    return nameOf(user).toLowerCase().includes(this.#sought);
  }

  /** The next part; while somebody is sought, all that are left. */
  async #load() {
    if (this.#isLoading || this.#isAtEnd || this.#failure || !this.#dialog.open) return;
    this.#isLoading = true;
    const walk = this.#walk;
    const half = this.#half;
    try {
      do {
        const { value, done } = await walk.next();
        // Another list was begun meanwhile.
        if (walk !== this.#walk) return;
        this.#isAtEnd = done || value.next === undefined;
        if (!this.#users.length && value) this.#begun(half, value);
        // As new as a receipt, which it is: all numbers are of one moment until the next comes.
        if (value) this.#message.show({ read: value.read, of: value.of });
        const users = value?.users ?? [];
        this.#users.push(...users);
        this.#find("list").append(...users.filter((user) => this.#isSought(user)).map(row));
        this.#tell();
        this.show();
      } while (this.#sought && !this.#isAtEnd && this.#dialog.open);
      this.#isLoading = false;
    } catch (error) {
      if (walk !== this.#walk) return;
      this.#isLoading = false;
      // That ends a walk: the next begins at its beginning.
      this.#failure = error;
      this.#tell();
      this.show();
    }
  }

  #tell() {
    const had = this.#users.length;
    this.#find("more").hidden = this.#isAtEnd || !had || this.#failure !== undefined;
    write(this.#find("found"), had ? this.#part(had) : this.#nothing);
  }

  /** How much of the list is there. Who reads meanwhile may be missing, so its end says the length. */
  #part(had) {
    const found = this.#find("list").children.length;
    const part = `${count(had)} of ${count(this.#isAtEnd ? had : Math.max(this.#length, had))} shown`;
    const says = this.#sought ? `${count(found)} found` : part;
    return this.#failure ? `${says}, the rest could not be loaded` : says;
  }

  get #nothing() {
    if (this.#failure) return "Could not be loaded";
    return this.#isAtEnd ? "Nobody" : "Loading";
  }
}

const row = (user) => html("li", { "data-user": user }, avatar(user), html("span", {}, nameOf(user)));
