/** When a phone's radio has to be awake: from each byte on for its tail, as `seenby simulate` counts it. */

export const TAIL_MS = 5_000;
/** For how long it is remembered when it was awake. */
const KEPT_MS = 70_000;

export class Radio {
  wakes = 0;
  /** Until the end of the last tail, which may be yet to come. */
  awakeMs = 0;
  /** When it was awake lately: `{from, until}`. */
  spans = [];

  /** Something moves now. Times do not go back. */
  moved(now) {
    const last = this.spans.at(-1);
    if (last && now <= last.until) {
      this.awakeMs += now + TAIL_MS - last.until;
      last.until = now + TAIL_MS;
      return;
    }
    this.wakes += 1;
    this.awakeMs += TAIL_MS;
    this.spans.push({ from: now, until: now + TAIL_MS });
    while (this.spans[0].until < now - KEPT_MS) this.spans.shift();
  }

  /** For how long it has been awake by now. */
  awakeBy(now) {
    return this.awakeMs - Math.max(0, (this.spans.at(-1)?.until ?? now) - now);
  }
}
