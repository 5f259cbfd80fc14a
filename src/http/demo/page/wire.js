/** What went over the wire: the log of requests, and the totals beside those of naive push. */
import { html, write } from "./dom.js";
import { bytes, count, duration, times, timeInSeconds } from "./format.js";

const LINES_MAX = 200;
const WHOSE = { phone: "This phone", push: "Naive push" };
/** Before, it is chance who has had more. */
const COMPARED_AFTER_MS = 10_000;
/** So many messages a line names; the rest it counts. */
const NAMED_MAX = 3;

const named = (messages) => {
  const more = messages.length - NAMED_MAX;
  return messages.slice(0, NAMED_MAX).join(" ") + (more > 0 ? ` +${more}` : "");
};

export class Wire {
  #lines;
  #shown = new Map();
  #find;

  /** `lines` is the list of requests, `totals` what has the cells of the totals in it. */
  constructor(lines, totals) {
    this.#lines = lines;
    this.#find = (name) => totals.querySelector(`[${name}]`);
  }

  /** A request has begun, or more of it is known. */
  log(request) {
    const { number, what, at, status, up, down, messages, isOver } = request;
    let line = this.#shown.get(number);
    if (!line) {
      const cells = ["at", "what", "status", "up", "down", "messages"].map((name) => html("span", { class: name }));
      line = html("li", { "data-request": what }, ...cells);
      this.#shown.set(number, line);
      this.#lines.prepend(line);
      for (const [oldest, element] of this.#shown) {
        if (this.#shown.size <= LINES_MAX) break;
        element.remove();
        this.#shown.delete(oldest);
      }
    }
    line.dataset.status = isOver ? status : "open";
    const texts = [timeInSeconds(at), what, status || "…", `↑ ${bytes(up)}`, `↓ ${bytes(down)}`, named(messages)];
    texts.forEach((text, cell) => write(line.children[cell], text));
  }

  clear() {
    this.#shown.clear();
    this.#lines.replaceChildren();
  }

  /** The totals as they stand. */
  show(meter, push) {
    const { totals, radio } = meter;
    const now = performance.now();
    const cells = {
      "data-total=pulls": count(totals.pull),
      "data-total=unchanged": count(totals.unchanged),
      "data-total=events": count(totals.events),
      "data-total=marks": count(totals.marks),
      "data-total=up": bytes(totals.up),
      "data-total=down": bytes(totals.down),
      "data-total=wakes": count(radio.wakes),
      "data-push=events": count(push.events),
      "data-push=bytes": bytes(push.bytes),
      "data-push=wakes": count(push.radio.wakes),
    };
    for (const [name, text] of Object.entries(cells)) write(this.#find(name), text);
    const isFair = push.events > 0 && now - push.begunAt >= COMPARED_AFTER_MS;
    this.#bars("bytes", totals.up + totals.down, push.bytes, bytes, isFair);
    this.#bars("radio", radio.awakeBy(now), push.radio.awakeBy(now), duration, isFair);
  }

  /** Two bars, and in words how many times as much the longer is, if that is fair to say. */
  #bars(name, phone, push, format, isFair) {
    const most = Math.max(phone, push, 1);
    for (const [whose, value] of Object.entries({ phone, push })) {
      const bar = this.#find(`data-bar=${whose}-${name}`);
      bar.style.setProperty("--part", String(value / most));
      write(this.#find(`data-value=${whose}-${name}`), format(value));
    }
    const [ratio, more] = push >= phone ? [push / phone, "push"] : [phone / push, "phone"];
    const says = this.#find(`data-ratio=${name}`);
    if (says.dataset.more !== more) says.dataset.more = more;
    write(says, !isFair || ratio < 1.05 || !Number.isFinite(ratio) ? "" : `${WHOSE[more]}: ${times(ratio)} times as much`);
  }
}
