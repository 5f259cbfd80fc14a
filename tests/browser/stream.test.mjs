/** Receipts as a stream, which a page asks for in place of pulls. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { namedIn } from "./browser.mjs";
import { stage } from "./stage.mjs";
import { pass, until } from "./wait.mjs";

const set = stage();
const streams = true;

/** The streams that a relay has open. */
const open = ({ requests }) =>
  requests.filter(({ method, path, closed }) => method === "GET" && path.includes("/receipts/stream?") && !closed);

describe("a page with streams", { concurrency: 12 }, () => {
  test("is told of marks over one connection, without a pull", async (t) => {
    const { page, ids } = await set.chat(t, { id: "told", count: 20, heightPx: 25, streams });
    await page.call("watch", ids);
    await until("the first event", () => page.told("m1"));
    for (const reader of ["bob", "carol"]) {
      await set.server.mark("told", reader, "m7");
      const read = reader === "bob" ? 1 : 2;
      await until(`${reader} is counted`, async () => (await page.told("m7")).read === read, 3_000);
    }
    assert.equal(page.streams.length, 1);
    assert.deepEqual(namedIn(page.streams[0]).sort(), [...ids].sort());
    assert.equal(page.pulls.length, 0);
    page.assertClean();
  });

  test("ends the stream when the message scrolls away, and goes on where it was", async (t) => {
    const relayed = await set.relay(t);
    const { page, ids } = await set.chat(t, { id: "away", count: 20, heightPx: 100, url: relayed.url, streams });
    await page.call("watch", [ids[0]]);
    await until("the first event", () => page.told("m1"));
    assert.equal(open(relayed).length, 1);
    await page.call("scrollTo", ids[10]);
    await until("the stream is closed", () => open(relayed).length === 0);
    await set.server.mark("away", "bob", "m1");
    await page.call("scrollTo");
    await until("the mark is told", async () => (await page.told("m1")).read === 1);
    assert.equal(page.streams.length, 2);
    assert.ok(page.streams[1].headers["Last-Event-ID"]);
    page.assertClean(/ERR_ABORTED/);
  });

  test("has no stream longer than the server's window", async (t) => {
    const server = await set.ownServer(t, { guarded: false, flags: ["--poll-for", "4s", "--stream-for", "4s"] });
    const relayed = await set.relay(t, server);
    const { page, ids } = await set.chat(t, { id: "ends", count: 1, server, url: relayed.url, streams });
    await page.call("watch", ids);
    await until("the first event", () => page.told("m1"));
    await until("the stream is over", () => open(relayed).length === 0, 6_000);
    await pass(3_000);
    assert.equal(open(relayed).length, 0);
    assert.equal(page.pulls.length, 0);
    page.assertClean(/ERR_ABORTED/);
  });

  test("pulls where there is no room for a stream", async (t) => {
    const server = await set.ownServer(t, { guarded: false, flags: ["--streams-max", "0"] });
    const { page, ids } = await set.chat(t, { id: "full", count: 1, server, streams });
    await page.call("watch", ids);
    await page.answered(2);
    assert.equal(page.streams.length, 1);
    page.assertClean(/503/);
  });

  test("survives a kill of the server", async (t) => {
    const server = await set.ownServer(t, { guarded: false });
    const { page, ids } = await set.chat(t, { id: "killed", count: 1, server, streams });
    await page.call("watch", ids);
    await until("the first event", () => page.told("m1"));
    await server.kill();
    await server.begin();
    await server.mark("killed", "bob", "m1");
    await until("the mark is told", async () => (await page.told("m1")).read === 1);
    page.assertClean(/ERR_/);
  });
});
