/**
 * The world around the client: whether its user can see it, what of it is on screen, whether there is a network.
 *
 * In a browser that is the page; elsewhere give your own. Knows nothing of receipts.
 */
/**
 * Tells whether `target` is on screen, each change once, until the function that it returns is called: then it is not.
 * Where there is no target, it is from now on.
 */
export function onScreen(environment, target, told) {
    let isOnScreen = false;
    const turn = (is) => {
        if (is !== isOnScreen)
            told((isOnScreen = is));
    };
    const leave = target === undefined ? turn(true) : environment.observe(target, turn);
    return () => {
        leave?.();
        turn(false);
    };
}
/** Where there is no screen: all is seen that is asked for. */
export function headless() {
    return {
        isVisible: () => true,
        subscribe: () => () => { },
        observe: (_, told) => {
            told(true);
            return () => { };
        },
    };
}
// Often enough that half of a screen's height is noticed of a message of many screens.
const THRESHOLDS = Array.from({ length: 41 }, (_, at) => at / 40);
/** Half of the element is on screen; or, if it is taller than that, half of the screen is its. */
function isSeen({ isIntersecting, intersectionRatio, intersectionRect, rootBounds }) {
    return (isIntersecting &&
        (intersectionRatio >= 0.5 || (!!rootBounds && intersectionRect.height >= rootBounds.height / 2)));
}
/**
 * A page in a browser. What scrolls out of its scrolling parent is off screen; with `root` that parent also is the
 * screen of which a tall message must take half. Targets are elements.
 */
export function browser(root = null) {
    const isVisible = () => document.visibilityState === "visible";
    return {
        isVisible,
        subscribe(told) {
            const ends = new AbortController();
            let wasVisible = isVisible();
            // A page that closes says so twice, and in no certain order.
            const turn = (is) => {
                if (is !== wasVisible)
                    told((wasVisible = is) ? "shown" : "hidden");
            };
            const on = (target, type, happened) => target.addEventListener(type, happened, ends);
            on(document, "visibilitychange", () => turn(isVisible()));
            on(window, "pagehide", () => turn(false));
            on(window, "pageshow", () => turn(isVisible()));
            on(window, "online", () => told("online"));
            return () => ends.abort();
        },
        observe(target, told) {
            const seen = (entries) => entries.forEach((entry) => told(isSeen(entry)));
            const observer = new IntersectionObserver(seen, { root, threshold: THRESHOLDS });
            observer.observe(target);
            return () => observer.disconnect();
        },
    };
}
