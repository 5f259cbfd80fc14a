/**
 * The world around the client: whether its user can see it, what of it is on screen, whether there is a network.
 *
 * In a browser that is the page; elsewhere give your own. Knows nothing of receipts.
 */

/** What may happen to a page: it came into view, went out of view or was closed, or has a network again. */
export type Change = "shown" | "hidden" | "online";

/** An adapter to where the client runs. */
export interface Environment {
  /** Whether the user can see the page or app now. */
  isVisible(): boolean;
  /** Calls `told` at each change, until the function that it returns is called. */
  subscribe(told: (change: Change) => void): () => void;
  /**
   * Calls `told` with whether `target` is on screen, soon and at each change, until the function that it returns is
   * called. To say the same again does no harm.
   */
  observe(target: unknown, told: (isOnScreen: boolean) => void): () => void;
}

/**
 * Tells whether `target` is on screen, each change once, until the function that it returns is called: then it is not.
 * Where there is no target, it is from now on.
 */
export function onScreen(environment: Environment, target: unknown, told: (isOnScreen: boolean) => void): () => void {
  let isOnScreen = false;
  const turn = (is: boolean): void => {
    if (is !== isOnScreen) told((isOnScreen = is));
  };
  const leave = target === undefined ? turn(true) : environment.observe(target, turn);
  return () => {
    leave?.();
    turn(false);
  };
}

/** Where there is no screen: all is seen that is asked for. */
export function headless(): Environment {
  return {
    isVisible: () => true,
    subscribe: () => () => {},
    observe: (_, told) => {
      told(true);
      return () => {};
    },
  };
}

// Often enough that half of a screen's height is noticed of a message of many screens.
const THRESHOLDS = Array.from({ length: 41 }, (_, at) => at / 40);

/** Half of the element is on screen; or, if it is taller than that, half of the screen is its. */
function isSeen({ isIntersecting, intersectionRatio, intersectionRect, rootBounds }: IntersectionObserverEntry): boolean {
  return (
    isIntersecting &&
    (intersectionRatio >= 0.5 || (!!rootBounds && intersectionRect.height >= rootBounds.height / 2))
  );
}

/**
 * A page in a browser. What scrolls out of its scrolling parent is off screen; with `root` that parent also is the
 * screen of which a tall message must take half. Targets are elements.
 */
export function browser(root: Element | null = null): Environment {
  const isVisible = (): boolean => document.visibilityState === "visible";
  return {
    isVisible,

    subscribe(told) {
      const ends = new AbortController();
      let wasVisible = isVisible();
      // A page that closes says so twice, and in no certain order.
      const turn = (is: boolean): void => {
        if (is !== wasVisible) told((wasVisible = is) ? "shown" : "hidden");
      };
      const on = (target: EventTarget, type: string, happened: () => void): void =>
        target.addEventListener(type, happened, ends);
      on(document, "visibilitychange", () => turn(isVisible()));
      on(window, "pagehide", () => turn(false));
      on(window, "pageshow", () => turn(isVisible()));
      on(window, "online", () => told("online"));
      return () => ends.abort();
    },

    observe(target, told) {
      const seen = (entries: IntersectionObserverEntry[]): void => entries.forEach((entry) => told(isSeen(entry)));
      const observer = new IntersectionObserver(seen, { root, threshold: THRESHOLDS });
      observer.observe(target as Element);
      return () => observer.disconnect();
    },
  };
}
