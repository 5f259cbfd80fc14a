/** A ring that fills as a message is read, with the ticks in it. */
import { svg } from "./dom.js";

const ONE = "M7.5 12.4l3 3 6-6.4";
const TWO = "M4.8 12.4l3 3 6-6.4M11.6 15.2l.3.2 6.7-6.4";

export class Ring {
  element;
  #arc = svg("circle", { class: "arc", cx: 12, cy: 12, r: 10.5, pathLength: 100 });
  #halo = svg("circle", { class: "halo", cx: 12, cy: 12, r: 10.5 });
  #ticks = svg("path", { class: "ticks", d: ONE });

  constructor() {
    const track = svg("circle", { class: "track", cx: 12, cy: 12, r: 10.5 });
    const attributes = { class: "ring", viewBox: "0 0 24 24", "aria-hidden": "true" };
    this.element = svg("svg", attributes, this.#halo, track, this.#arc, this.#ticks);
  }

  show({ read, of }) {
    const isAll = of > 0 && read === of;
    this.element.style.setProperty("--read", String(of ? (100 * read) / of : 0));
    this.element.classList.toggle("all", isAll);
    this.#ticks.setAttribute("d", isAll ? TWO : ONE);
  }

  /** It was asked for just now. */
  pulse() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const from = { opacity: 0.8, transform: "scale(1)" };
    // No larger: it must not touch the count beside it.
    this.#halo.animate([from, { opacity: 0, transform: "scale(1.3)" }], { duration: 700, easing: "ease-out" });
  }
}
