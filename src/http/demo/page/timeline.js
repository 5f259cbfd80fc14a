/** The last minute as a picture: requests of the phone and events of naive push, and when the radio is awake for them. */
import { svg } from "./dom.js";

const SHOWN_MS = 60_000;
/** What has just gone out of the picture is not gone yet. */
const KEPT_MS = 2_000;
const WIDTH = 600;
const PX_PER_MS = WIDTH / SHOWN_MS;
const BUCKET_MS = 500;
/** So many events in a bucket make a bar of full height. */
const EVENTS_FULL = 100;
const LANE = 34;
const PHONE_Y = 4;
const PUSH_Y = PHONE_Y + LANE + 10;

export class Timeline {
  #phone = svg("g", { class: "phone-lane" });
  #push = svg("g", { class: "push-lane" });
  #moving = svg("g", {}, this.#phone, this.#push);
  #start = performance.now();
  #bucket = { at: -1, events: 0, bar: undefined };
  /** By the span of a radio; gone with it. */
  #bands = new WeakMap();

  constructor(picture) {
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${PUSH_Y + LANE + 4}`);
    for (const y of [PHONE_Y, PUSH_Y]) {
      picture.append(svg("rect", { class: "lane", x: 0, y, width: WIDTH, height: LANE, rx: 6 }));
    }
    picture.append(this.#moving);
  }

  #x(at) {
    return ((at - this.#start) * PX_PER_MS).toFixed(1);
  }

  /** A request or a part of its answer, just now. */
  moved(what) {
    const at = performance.now();
    this.#phone.append(svg("rect", { class: `tick ${what}`, x: this.#x(at), y: PHONE_Y + 5, width: 3, height: LANE - 10, rx: 1.5 }));
  }

  /** So many events that naive push would have sent just now. */
  pushed(events) {
    const at = Math.floor(performance.now() / BUCKET_MS) * BUCKET_MS;
    if (this.#bucket.at !== at) {
      const bar = svg("rect", { class: "bar", x: this.#x(at), width: BUCKET_MS * PX_PER_MS - 1, rx: 1 });
      this.#bucket = { at, events: 0, bar };
      this.#push.append(bar);
    }
    this.#bucket.events += events;
    const height = Math.max(3, (LANE - 6) * Math.min(1, Math.sqrt(this.#bucket.events / EVENTS_FULL)));
    this.#bucket.bar.setAttribute("height", height.toFixed(1));
    this.#bucket.bar.setAttribute("y", (PUSH_Y + LANE - 3 - height).toFixed(1));
  }

  clear() {
    this.#phone.replaceChildren();
    this.#push.replaceChildren();
    this.#bands = new WeakMap();
    this.#bucket = { at: -1, events: 0, bar: undefined };
  }

  /** How far time has gone, and when the two radios have been awake; what is older than a minute goes. */
  show(phone, push) {
    const now = performance.now();
    const x = WIDTH - (now - this.#start) * PX_PER_MS;
    this.#moving.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
    const oldest = (now - SHOWN_MS - KEPT_MS - this.#start) * PX_PER_MS;
    for (const lane of [this.#phone, this.#push]) {
      for (const mark of [...lane.children]) {
        if (Number(mark.getAttribute("x")) + Number(mark.getAttribute("width")) < oldest) mark.remove();
      }
    }
    this.#awake(phone, this.#phone, PHONE_Y, now);
    this.#awake(push, this.#push, PUSH_Y, now);
  }

  #awake(radio, lane, y, now) {
    for (const span of radio.spans) {
      let band = this.#bands.get(span);
      if (!band) {
        band = svg("rect", { class: "awake", x: this.#x(span.from), y, height: LANE, rx: 6 });
        this.#bands.set(span, band);
        lane.prepend(band);
      }
      band.setAttribute("width", Math.max(0, (Math.min(span.until, now) - span.from) * PX_PER_MS).toFixed(1));
    }
  }
}
