/** What a request may have beside its method and path. */
export interface Request {
    /** Sent as JSON. */
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
    /** Whether it goes out even if the page is closed meanwhile. */
    readonly keepalive?: boolean;
    readonly signal?: AbortSignal;
}
/** Where to send to, and as whom. */
export interface ConnectionOptions {
    readonly url: string;
    readonly token?: (() => string | Promise<string>) | undefined;
    readonly fetch?: typeof fetch | undefined;
    readonly timeoutMs?: number | undefined;
}
export declare class Connection {
    #private;
    constructor(options: ConnectionOptions);
    /**
     * One request, and what `take` makes of its answer: 200 to 299, or 304. It fails with a `SeenbyError`, also after its
     * time, which `mayLast` sets anew.
     */
    send<T>(method: string, path: string, request: Request, take: (answer: Response, mayLast: (ms: number) => void) => Promise<T>): Promise<T>;
    /** The body of an answer, as JSON. */
    json<T>(method: string, path: string, request?: Request): Promise<T>;
}
