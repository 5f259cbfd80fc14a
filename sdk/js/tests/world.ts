/** A server, a screen and a clock to try the client with: nothing here is real, and all of it does as it is told. */
import { vi } from "vitest";
import { type Change, createClient, type Environment, type Options, type SeenbyError } from "../src/index.js";

/** A request that was made. */
export interface Call {
  readonly at: number;
  readonly method: string;
  /** Below `/v1/`, as it was sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Record<string, string>;
  readonly body: any;
  readonly init: RequestInit;
}

export type Answers = (call: Call) => Response | Promise<Response>;

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers });

export const problem = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  json({ type: `/problems/${code}`, title: code, status, detail: `it is ${code}`, code }, status, headers);

/** An answer that is given when the test says so. */
export function later(): { readonly answer: Promise<Response>; give(response: Response): void } {
  let give: (response: Response) => void = () => {};
  const answer = new Promise<Response>((resolve) => (give = resolve));
  return { answer, give };
}

/** Answers as the contract has it, out of `counts`. */
export class Server {
  readonly calls: Call[] = [];
  readonly counts = new Map<string, { read: number; of: number }>();
  poll: { every_ms: number; for_ms: number } | null = { every_ms: 2_000, for_ms: 20_000 };
  /** The most requests that were under way at once. */
  mostAtOnce = 0;
  /** In place of what the contract has. */
  answers: Answers | undefined;
  #atOnce = 0;

  readonly fetch: typeof fetch = async (input, init = {}) => {
    const { pathname, search, searchParams } = new URL(String(input));
    const path = (pathname + search).replace(/^.*?\/v1\//, "");
    const { method = "GET", body, signal } = init;
    const headers = init.headers as Record<string, string>;
    const call = {
      at: performance.now(),
      method,
      path,
      query: searchParams,
      headers,
      body: body && JSON.parse(String(body)),
      init,
    };
    this.calls.push(call);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      signal?.throwIfAborted();
      const aborted = new Promise<never>((_, reject) =>
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
      return await Promise.race([(this.answers ?? this.asTheContractHasIt)(call), aborted]);
    } finally {
      this.#atOnce -= 1;
    }
  };

  readonly asTheContractHasIt: Answers = (call) => {
    if (call.path.endsWith("/marks")) return json({ marked: 1, already: 0, refused: [] });
    const now = call.query.getAll("message").map((message) => ({ message, ...this.#entry(message) }));
    const etag = `"${JSON.stringify(now).replaceAll('"', "'")}"`;
    const known = call.headers["If-None-Match"];
    const cache = this.poll ? `private, max-age=${Math.floor(this.poll.every_ms / 1_000)}` : "private, no-cache";
    const headers = { ETag: etag, "Cache-Control": cache };
    if (known === etag) return new Response(null, { status: 304, headers });
    const since = known && call.query.get("changed") ? known : "";
    const receipts = now.filter((entry) => !since.includes(JSON.stringify(entry).replaceAll('"', "'")));
    return json({ receipts, poll: this.poll }, 200, headers);
  };

  #entry(message: string): object {
    return this.counts.get(message) ?? { code: "unknown-message" };
  }

  /** The messages of each pull so far. */
  get asked(): string[][] {
    return this.calls.map(({ query }) => query.getAll("message"));
  }

  /** When each request was made. */
  get times(): number[] {
    return this.calls.map(({ at }) => at);
  }
}

/** A screen on which comes and goes what the test says. */
export class FakeScreen implements Environment {
  visible = true;
  readonly listeners = new Set<(change: Change) => void>();
  readonly targets = new Map<unknown, Set<(is: boolean) => void>>();
  readonly #shown = new Set<unknown>();

  isVisible(): boolean {
    return this.visible;
  }

  subscribe(told: (change: Change) => void): () => void {
    this.listeners.add(told);
    return () => this.listeners.delete(told);
  }

  observe(target: unknown, told: (is: boolean) => void): () => void {
    const those = this.targets.get(target) ?? new Set();
    this.targets.set(target, those.add(told));
    told(this.#shown.has(target));
    return () => those.delete(told);
  }

  /** The targets come on screen. */
  show(...targets: unknown[]): void {
    for (const target of targets) {
      this.#shown.add(target);
      this.targets.get(target)?.forEach((told) => told(true));
    }
  }

  hide(...targets: unknown[]): void {
    for (const target of targets) {
      this.#shown.delete(target);
      this.targets.get(target)?.forEach((told) => told(false));
    }
  }

  change(change: Change): void {
    if (change !== "online") this.visible = change === "shown";
    this.listeners.forEach((told) => told(change));
  }
}

/** A client in a world of its own, whose clock stands at 0, and whose chance is always `chance`. */
export function world(options: Partial<Options> = {}, chance = 0) {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  vi.spyOn(Math, "random").mockReturnValue(chance);
  const server = new Server();
  const screen = new FakeScreen();
  const errors: SeenbyError[] = [];
  const client = createClient({
    url: "https://chat.example.com/receipts/",
    user: "alice",
    fetch: server.fetch,
    environment: screen,
    onError: (error) => void errors.push(error),
    ...options,
  });
  return { server, screen, errors, client, conversation: client.conversation("c1") };
}

export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** Back to the real clock, and real chance. */
export function restore(): void {
  vi.useRealTimers();
  vi.restoreAllMocks();
}

export const numbered = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, at) => `m${from + at}`);
