/**
 * What naive push would have cost by now: each new reader of each message is one event to the sender's phone, as the
 * server's own stream sends it when nothing is gathered (`stream_every` 0).
 */
import { bytesOf } from "./meter.js";
import { Radio } from "./radio.js";

export class Push {
  events = 0;
  bytes = 0;
  radio = new Radio();
  /** Since when it is counted. */
  begunAt = performance.now();
  #id;
  #of;
  #poll;

  /** `id` is a real event's id, `of` the audience, `poll` what a real answer says of the pace. */
  constructor(id, of, poll) {
    this.#id = id;
    this.#of = of;
    this.#poll = poll;
  }

  reset() {
    this.events = 0;
    this.bytes = 0;
    this.radio = new Radio();
    this.begunAt = performance.now();
  }

  /** The message's readers rose from one count to another, each step an event. */
  rose({ message, from, to }) {
    for (let read = from + 1; read <= to; read += 1) {
      const poll = read < this.#of ? this.#poll : null;
      const data = JSON.stringify({ receipts: [{ message, read, of: this.#of }], poll });
      this.bytes += bytesOf(`id: ${this.#id}\nevent: receipts\ndata: ${data}\n\n`);
    }
    this.events += to - from;
    this.radio.moved(performance.now());
  }
}
