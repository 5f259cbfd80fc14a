/**
 * Chromium, and what its pages did on the wire, by the browser's own record and not by what the SDK says of itself.
 */
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { freePort } from "./server.mjs";
import { until } from "./wait.mjs";

const FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/**
 * Starts a browser with an empty user data directory.
 *
 * `newTab` opens a tab in the one window of the browser's first context. Only there a page is hidden when another tab is
 * brought to the front: for all others playwright has the browser believe that they have the focus.
 */
export async function launch() {
  const port = await freePort();
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: [...FLAGS, `--remote-debugging-port=${port}`] });
  let plain;
  return {
    async newPage(options) {
      const context = await browser.newContext(options);
      return Page.of(await context.newPage());
    },
    async newTab() {
      plain ??= await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
      return Page.of(await plain.contexts()[0].newPage());
    },
    async end() {
      await plain?.close();
      await browser.close();
    },
  };
}

/** A page, with all that went wrong on it and all that it has sent. */
export class Page {
  /** Console errors and uncaught ones. */
  errors = [];
  /** In the order of sending: `method`, `url`, `type`, `headers`, `sentMs`, and later `status`, `doneMs`, `failure`. */
  requests = [];

  static async of(tab) {
    const page = new Page();
    page.tab = tab;
    tab.on("console", (said) => {
      if (said.type() === "error" || said.type() === "warning") page.errors.push(`${said.text()} ${said.location().url}`);
    });
    tab.on("pageerror", (error) => page.errors.push(String(error)));
    await page.#record(await tab.context().newCDPSession(tab));
    return page;
  }

  async #record(wire) {
    const byId = new Map();
    const note = (id, what) => Object.assign(byId.get(id) ?? {}, what);
    wire.on("Network.requestWillBeSent", ({ requestId, request, type, timestamp, wallTime }) => {
      const { method, url, headers, postData } = request;
      // By the clock of the page's own process: how busy this one is does not count.
      const noted = { method, url, type, headers, postData, sentMs: timestamp * 1_000, wallMs: wallTime * 1_000 };
      byId.set(requestId, noted);
      this.requests.push(noted);
    });
    wire.on("Network.responseReceived", ({ requestId, response }) => {
      note(requestId, { status: response.status, answerHeaders: response.headers });
    });
    wire.on("Network.loadingFinished", ({ requestId, timestamp }) => note(requestId, { doneMs: timestamp * 1_000 }));
    wire.on("Network.loadingFailed", ({ requestId, timestamp, errorText }) => {
      note(requestId, { doneMs: timestamp * 1_000, failure: errorText });
    });
    await wire.send("Network.enable");
  }

  /** Opens the fixture and begins a client on it. */
  async open(origin, options) {
    await this.tab.goto(origin);
    await this.tab.waitForFunction(() => window.chat);
    await this.call("begin", options);
  }

  /** Calls a function of the fixture's `window.chat`. */
  call(name, ...given) {
    return this.tab.evaluate(([name, given]) => window.chat[name](...given), [name, given]);
  }

  /** What the SDK has told of a message. */
  told(message) {
    return this.tab.evaluate((message) => window.chat.told[message], message);
  }

  /** The errors that the SDK has told. */
  failures() {
    return this.tab.evaluate(() => window.chat.errors);
  }

  #sent(method, path) {
    return this.requests.filter((request) => request.method === method && path.test(request.url));
  }

  /** The pulls that went out. */
  get pulls() {
    return this.#sent("GET", /\/receipts\?/);
  }

  /** The requests with marks that went out. */
  get marks() {
    return this.#sent("POST", /\/marks$/);
  }

  /** The streams that were asked for. */
  get streams() {
    return this.#sent("GET", /\/receipts\/stream\?/);
  }

  /** The browser's own questions (CORS): whether the server lets the page call. */
  get preflights() {
    return this.#sent("OPTIONS", /./);
  }

  /** Waits for that many pulls, answered. */
  answered(count) {
    return until(`${count} pulls are answered`, () => this.pulls.filter(({ doneMs }) => doneMs).length >= count, 40_000);
  }

  /** Nothing went wrong, but what is expected of the console. */
  assertClean(...expected) {
    const unexpected = this.errors.filter((error) => !expected.some((pattern) => pattern.test(error)));
    assert.deepEqual(unexpected, []);
    const failed = this.requests.filter(({ failure }) => failure && !expected.some((pattern) => pattern.test(failure)));
    assert.deepEqual(failed, []);
  }

  close() {
    return this.tab.close();
  }
}

/** The messages that a request names. */
export const namedIn = ({ url }) => new URL(url).searchParams.getAll("message");

/** The times between requests, in milliseconds. */
const gaps = (requests) => requests.slice(1).map(({ sentMs }, at) => sentMs - requests[at].sentMs);

/**
 * How much too early a request may seem: the browser notes it when it is sent, and on a busy machine the page may have
 * waited for the processor since it looked at the clock. Then what follows in time comes too soon, but no two of a row do.
 */
const EARLY_MS = 100;
/** How late one may be where others build as well. */
const LATE_MS = 1_000;

/** The requests are at least and at most so far from each other. */
export function assertPace(requests, leastMs, mostMs) {
  const between = gaps(requests);
  for (const gap of between) {
    assert.ok(gap >= leastMs - EARLY_MS, `sent after ${gap} ms`);
    assert.ok(gap <= mostMs + LATE_MS, `nothing sent for ${gap} ms`);
  }
  const allMs = between.reduce((sum, gap) => sum + gap, 0);
  assert.ok(allMs >= leastMs * between.length - EARLY_MS, `${requests.length} sent within ${allMs} ms`);
}
