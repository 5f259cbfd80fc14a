/** What the tests of the SDK stand on: a browser, pages of another origin, and a guarded server that lets them in. */
import { after, before } from "node:test";
import { launch } from "./browser.mjs";
import { pages } from "./pages.mjs";
import { relay } from "./relay.mjs";
import { Server } from "./server.mjs";

class Stage {
  async begin() {
    this.pages = await pages();
    this.server = this.pages.servers.shared = await Server.start(this.pages.origin);
    this.browser = await launch();
  }

  async end() {
    await this.browser?.end();
    await this.server?.end();
    this.pages?.end();
  }

  /** A server for one test alone. */
  async ownServer(t, options) {
    const server = await Server.start(this.pages.origin, options);
    t.after(() => server.end());
    return server;
  }

  /** A relay in front of a server, for one test alone. */
  async relay(t, server = this.server) {
    const relayed = await relay(server);
    t.after(() => relayed.end());
    return relayed;
  }

  /** A page of the user, with a client that talks to `url`. */
  async page(t, options, newPage = "newPage") {
    const page = await this.browser[newPage]();
    t.after(() => page.close());
    await page.open(this.pages.origin, { url: this.server.url, ...options });
    return page;
  }

  /**
   * A conversation of alice, bob and carol, in which alice has sent so many messages; and a page, alice's if nothing else
   * is said, on which they stand, each so high. The chat's window is 500 high.
   */
  async chat(t, { id, count, heightPx = 50, user = "alice", server = this.server, newPage, ...options }) {
    const ids = await server.conversation(id, ["alice", "bob", "carol"], count);
    const page = await this.page(t, { id, user, url: server.url, ...options }, newPage);
    await page.call("add", ids, heightPx);
    return { page, ids };
  }
}

/** Sets it up for the tests of a file, and takes it down after them. */
export function stage() {
  const set = new Stage();
  before(() => set.begin());
  after(() => set.end());
  return set;
}
