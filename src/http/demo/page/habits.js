/** How the simulated readers behave: after how long each opens the chat when there is something new. */

/** A number around 0, most within 2 (Box and Muller). */
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
/** Half come before the median; the larger the spread, the longer the tail. */
const lognormal = (medianMs, spread) => medianMs * Math.exp(spread * normal());

/** By the value of their switch. `opensAfterMs` is drawn for each reader. */
export const HABITS = {
  evening: {
    says: "Half come within 4 minutes, some only hours later.",
    opensAfterMs: () => lognormal(240_000, 1.6),
  },
  day: {
    says: "Half come within 25 seconds, the rest over minutes.",
    opensAfterMs: () => lognormal(25_000, 1.1),
  },
  once: {
    says: "All 1,999 come within 10 seconds.",
    opensAfterMs: () => 10_000 * Math.random(),
  },
  nobody: {
    says: "Nobody comes, and nobody writes.",
    opensAfterMs: () => Infinity,
  },
};
