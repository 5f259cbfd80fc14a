/** What the phone's user looks at now, as the SDK is told: an environment between the real one and the SDK. */

export class Looks {
  #environment;
  #forMs;
  /** Since when each target has been on screen. */
  #since = new Map();

  /** A look lasts for `forMs`. */
  constructor(environment, forMs) {
    this.#environment = environment;
    this.#forMs = forMs;
  }

  isVisible() {
    return this.#environment.isVisible();
  }

  subscribe(told) {
    return this.#environment.subscribe((change) => {
      if (change === "shown") for (const target of this.#since.keys()) this.#since.set(target, performance.now());
      told(change);
    });
  }

  observe(target, told) {
    return this.#environment.observe(target, (isOnScreen) => {
      if (!isOnScreen) this.#since.delete(target);
      else if (!this.#since.has(target)) this.#since.set(target, performance.now());
      told(isOnScreen);
    });
  }

  isOnScreen(target) {
    return this.#since.has(target);
  }

  /** For how long the target is asked for yet, in milliseconds, and what part of the look that is. */
  left(target) {
    const since = this.#since.get(target);
    if (since === undefined || !this.isVisible()) return { ms: 0, part: 0 };
    const ms = Math.max(0, since + this.#forMs - performance.now());
    return { ms, part: this.#forMs === Infinity ? 1 : ms / this.#forMs };
  }
}
