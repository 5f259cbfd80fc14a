/**
 * The group as its members know it: what was said, and up to where each has read. Numbers and time alone, no wire.
 *
 * What is said counts once the server knows it (`known`), and what was read once the server has it (`confirm`).
 */
import { chance, others, SENDER } from "./people.js";
import { HISTORY } from "./talk.js";

/** All have read at least this much of the history. */
const READ_BY_ALL = 12;

export class Group {
  members = others();
  /** Oldest first: `{id, sender, text, at, read}`; `read` is how many have read it. */
  messages = [];
  /** So many of the messages the server knows. */
  known = 0;
  #habit;
  /** How many messages each member has read, and when they open the chat next. */
  #read = new Map();
  #opensAt = new Map();

  constructor(habit) {
    this.#habit = habit;
    const random = chance(30);
    const now = Date.now();
    HISTORY.forEach((line, at) => {
      const sender = line.startsWith("> ") ? SENDER : this.someone(random);
      this.say(sender, line.replace("> ", ""), now - (HISTORY.length - at) * 47_000);
    });
    const open = HISTORY.length - READ_BY_ALL;
    for (const member of this.members) {
      // Nobody has read the last one: the page opens on it.
      const read = READ_BY_ALL + Math.min(open - 1, Math.ceil(open * Math.sqrt(random()) * 1.1));
      this.#read.set(member, read);
      for (const message of this.messages.slice(0, read)) message.read += 1;
    }
  }

  someone(random = Math.random) {
    return this.members[Math.floor(random() * this.members.length)];
  }

  say(sender, text, at) {
    const message = { id: `m${this.messages.length + 1}`, sender, text, at, read: 0 };
    this.messages.push(message);
    return message;
  }

  /** Where each member begins: `[member, message]`. */
  places() {
    return this.members.map((member) => [member, this.messages[this.#read.get(member) - 1].id]);
  }

  /** From now on the readers behave so, those included who have something unread. */
  behave(habit, now) {
    this.#habit = habit;
    this.#opensAt.clear();
    this.expect(now);
  }

  /** Whoever has something unread, and no time yet to open the chat, gets one. */
  expect(now) {
    for (const member of this.members) {
      const isBehind = this.#read.get(member) < this.known;
      if (isBehind && !this.#opensAt.has(member)) this.#opensAt.set(member, now + this.#habit.opensAfterMs());
    }
  }

  /** Up to `most` members who open the chat by now. */
  due(now, most) {
    const due = [];
    for (const [member, at] of this.#opensAt) {
      if (at <= now && due.push(member) === most) break;
    }
    return due;
  }

  /** The members have read the first `length` messages: for each that has new readers, from what count to what. */
  confirm(members, length) {
    const rises = new Map();
    for (const member of members) {
      this.#opensAt.delete(member);
      for (const message of this.messages.slice(this.#read.get(member), length)) {
        if (message.sender === member) continue;
        const rise = rises.get(message.id) ?? { message, from: message.read };
        rise.to = message.read += 1;
        rises.set(message.id, rise);
      }
      this.#read.set(member, Math.max(length, this.#read.get(member)));
    }
    return [...rises.values()];
  }
}
