/** The ways to bring receipts to the phone between which the page switches, each as options of the SDK. */
import { browser } from "./sdk/index.js";
import { stream } from "./sdk/stream.js";

/** A look lasts 20 s; who never looks away begins the next one just before. */
const LOOK_AGAIN_MS = 19_500;

/** A phone that asks for all messages, wherever its user looks, and for as long as it runs. */
function neverLooksAway() {
  return {
    isVisible: () => true,
    subscribe(told) {
      const timer = setInterval(() => told("shown"), LOOK_AGAIN_MS);
      return () => clearInterval(timer);
    },
    observe(_, told) {
      told(true);
      return () => {};
    },
  };
}

/** By the value of their switch. */
export const STRATEGIES = {
  pull: {
    word: "Pull",
    says: "Each 2 s while one is on screen, for 20 s at most.",
    options: () => ({ environment: browser() }),
  },
  stream: {
    word: "Stream",
    says: "One connection while a message is on screen, at most one event a second.",
    options: () => ({ environment: browser(), source: stream() }),
  },
  always: {
    word: "Pull",
    isEndless: true,
    says: "Each 2 s, all the time, whether anybody looks or not.",
    options: () => ({ environment: neverLooksAway() }),
  },
};
