/** The demo's page as its tests see it: a server that has it, and what a user does on it and reads from it. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch } from "./browser.mjs";
import { Server } from "./server.mjs";
import { until } from "./wait.mjs";

/** What is in the group but the sender. */
export const OTHERS = 1_999;

export class Demo {
  /** Opens the page and waits until the phone has joined the group. */
  static async open(page, server) {
    const demo = new Demo();
    demo.page = page;
    demo.tab = page.tab;
    demo.server = server;
    demo.hosts = new Set();
    demo.tab.on("request", (request) => demo.hosts.add(new URL(request.url()).host));
    await demo.tab.goto(`${server.url}/demo`);
    await demo.tab.locator("#send:enabled").waitFor();
    return demo;
  }

  /** Chooses a strategy or a behaviour. */
  choose(name, value) {
    return this.tab.locator(`[name=${name}][value=${value}]`).check({ force: true });
  }

  /** Sends a message. */
  async send(text) {
    await this.tab.locator("#text").fill(text);
    await this.tab.locator("#send").click();
  }

  /** A total of the phone, as a number. */
  async total(name) {
    return numberIn(await this.tab.locator(`[data-total=${name}]`).textContent());
  }

  /** The sender's newest message. */
  get newest() {
    return this.tab.locator("[data-message].own").last();
  }

  /** How many have read the sender's newest message, as the page shows it. */
  async count() {
    const text = await this.newest.locator(".count").textContent();
    return /have read/.test(text) ? numberIn(text) : 0;
  }

  /** The message's count, as digits and commas, once it has one. */
  countOf(message) {
    return until("its count", async () => /^([\d,]+) of/.exec(await message.locator(".count").textContent())?.[1]);
  }

  /** What the phone does just now: `asking`, `again`, `over`, `done`, `away`, `unknown` or `forgotten`. */
  state() {
    return this.tab.locator("#state").getAttribute("data-state");
  }

  /** Waits for a state. */
  becomes(state, withinMs) {
    return until(`the phone is ${state}`, async () => (await this.state()) === state, withinMs);
  }

  /** Scrolls the newest message out of view, or into it. */
  scroll(end) {
    return this.tab.locator("#chat").evaluate((chat, end) => (chat.scrollTop = end ? chat.scrollHeight : 0), end);
  }

  /** The page's totals are what went over the wire. */
  async agrees() {
    const { pulls, marks } = this.page;
    const unchanged = pulls.filter(({ status }) => status === 304).length;
    const wire = [pulls.length, unchanged, marks.length];
    const said = await Promise.all(["pulls", "unchanged", "marks"].map((name) => this.total(name)));
    return wire.join() === said.join();
  }

  /**
   * Nothing went wrong but what is expected, and the page has called nobody but its own server.
   *
   * The page counts bodies as they pass, and has read the last of one before the browser has seen its end: then the
   * browser's record has the request as aborted, though it was answered.
   */
  assertClean(...expected) {
    this.page.assertClean(/ERR_ABORTED/, ...expected);
    assert.deepEqual([...this.hosts], [new URL(this.server.url).host]);
  }
}

const numberIn = (text) => Number(/[\d,]+/.exec(text)[0].replaceAll(",", ""));

class Stage {
  /** A page of the demo for one test alone, and one that does not draw all the time: there is no graphics card. */
  async demo(t, { server = this.server, newPage = "newPage", ...options } = {}) {
    const page = await this.browser[newPage]({ reducedMotion: "reduce", ...options });
    t.after(() => page.close());
    return Demo.open(page, server);
  }

  /** A server for one test alone. */
  async ownServer(t) {
    const server = await Server.start(undefined, { guarded: false, flags: ["--demo"] });
    t.after(() => server.end());
    return server;
  }
}

/** A browser and a server with the demo, for the tests of a file. */
export function stage() {
  const set = new Stage();
  before(async () => {
    set.server = await Server.start(undefined, { guarded: false, flags: ["--demo"] });
    set.browser = await launch();
  });
  after(async () => {
    await set.browser?.end();
    await set.server?.end();
  });
  return set;
}
