/** Waiting for what is waited for, with an end. */
import { setTimeout as sleep } from "node:timers/promises";

/** Only for windows of time in which nothing may happen, and for a pace: all else is waited for with `until`. */
export const pass = (ms) => sleep(ms);

/** Asks again and again until the answer is true, and gives it back. Generous: other builds may run beside. */
export async function until(what, asked, withinMs = 20_000) {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await asked();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}
