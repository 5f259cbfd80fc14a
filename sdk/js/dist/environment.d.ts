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
export declare function onScreen(environment: Environment, target: unknown, told: (isOnScreen: boolean) => void): () => void;
/** Where there is no screen: all is seen that is asked for. */
export declare function headless(): Environment;
/**
 * A page in a browser. What scrolls out of its scrolling parent is off screen; with `root` that parent also is the
 * screen of which a tall message must take half. Targets are elements.
 */
export declare function browser(root?: Element | null): Environment;
