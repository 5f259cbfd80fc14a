/**
 * One request and its answer: the token, the time it may take, what an error is.
 *
 * Knows nothing of receipts. Never tries again by itself, but once with a new token.
 */
import { SeenbyError } from "./error.js";
import { HOUR_MS, within } from "./time.js";

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

/** What can stand in a header; the page of a proxy in its place cannot, and is neither kept nor repeated. */
const TOKEN = /^[!-~]*$/;

/** `Retry-After`: seconds, or a date; an hour at the most. */
function retryAfterMs(answer: Response): number {
  const text = answer.headers.get("Retry-After") ?? "";
  return within(+text * 1_000 || Date.parse(text) - Date.now(), HOUR_MS, 0);
}

async function problem(answer: Response): Promise<SeenbyError> {
  // A proxy may have answered, in words of its own.
  const said = await answer.json().catch(() => {});
  const { status } = answer;
  return new SeenbyError(status, said?.code ?? "http", said?.detail ?? "status " + status, retryAfterMs(answer));
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #base: string;
  readonly #timeoutMs: number;
  #token: string | undefined;
  #asked: Promise<string> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#base = options.url.replace(/\/+$/, "") + "/v1/";
  }

  /**
   * One request, and what `take` makes of its answer: 200 to 299, or 304. It fails with a `SeenbyError`, also after its
   * time, which `mayLast` sets anew.
   */
  async send<T>(
    method: string,
    path: string,
    request: Request,
    take: (answer: Response, mayLast: (ms: number) => void) => Promise<T>,
  ): Promise<T> {
    const ends = new AbortController();
    const end = (): void => ends.abort();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const mayLast = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(end, ms);
    };
    request.signal?.addEventListener("abort", end);
    mayLast(this.#timeoutMs);
    try {
      return await take(await this.#answer(method, path, request, ends.signal), mayLast);
    } catch (error) {
      // Of an answer that could not be taken, nothing is to stay open.
      end();
      throw SeenbyError.of(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The body of an answer, as JSON. */
  json<T>(method: string, path: string, request: Request = {}): Promise<T> {
    return this.send(method, path, request, (answer) => answer.json());
  }

  async #answer(method: string, path: string, request: Request, signal: AbortSignal): Promise<Response> {
    const { fetch = globalThis.fetch, token } = this.#options;
    for (let isSecond = false; ; isSecond = true) {
      // No waiting where there is a token: what a page that closes has to send goes out at once.
      const used = token && (this.#token ?? (await (this.#asked ??= this.#fresh(token))));
      const headers: Record<string, string> = { ...request.headers };
      if (used) headers.Authorization = "Bearer " + used;
      const init: RequestInit = { method, headers, signal, keepalive: !!request.keepalive };
      if (request.body) {
        init.body = JSON.stringify(request.body);
        headers["Content-Type"] = "application/json";
      }
      // Not `no-store`: with it Chromium asks the server for its leave (CORS) before each request, as it does before each
      // conditional one without a mode, and React Native adds to the query. What is asked for here no cache may keep.
      if (headers["If-None-Match"]) init.cache = "force-cache";
      const answer = await fetch(this.#base + path, init);
      if (answer.ok || answer.status === 304) return answer;
      if (answer.status !== 401 || !token || isSecond) throw await problem(answer);
      // Another request may have brought a new one meanwhile.
      if (this.#token === used) this.#token = undefined;
    }
  }

  /** A token from the provider, which has as long as a request. */
  async #fresh(token: () => string | Promise<string>): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const fresh = await Promise.race([
        Promise.resolve().then(token),
        new Promise<string>((_, late) => (timer = setTimeout(late, this.#timeoutMs, "no token: timeout"))),
      ]);
      if (!TOKEN.test(fresh)) throw "no token";
      return (this.#token = fresh);
    } catch (error) {
      throw SeenbyError.of(error, "token");
    } finally {
      clearTimeout(timer);
      this.#asked = undefined;
    }
  }
}
