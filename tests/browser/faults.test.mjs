/** What a page does when the server dies, refuses or cannot be reached. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertPace } from "./browser.mjs";
import { stage } from "./stage.mjs";
import { pass, until } from "./wait.mjs";

const set = stage();

// What the browser itself says of a request that failed. Marks are sent with `keepalive`, and so tell it a second time.
const REFUSED = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_EMPTY_RESPONSE|ERR_FAILED/;

describe("a page", { concurrency: 12 }, () => {
  test("survives a kill of the server: it pulls on within the window, and the count is right", async (t) => {
    const server = await set.ownServer(t, { guarded: false });
    const { page, ids } = await set.chat(t, { id: "killed", count: 2, server });
    await server.mark("killed", "bob", "m1");
    await page.call("watch", ids);
    await page.answered(2);
    assert.deepEqual(await page.told("m1"), { read: 1, of: 2 });
    await server.kill();
    await until("a pull that failed", () => page.pulls.some(({ failure }) => failure));
    await server.begin();
    await server.mark("killed", "carol", "m1", "m2");
    await until("the count is right", async () => (await page.told("m1")).read === 2);
    assert.deepEqual(await page.told("m2"), { read: 1, of: 2 });
    assert.ok(page.pulls.at(-1).sentMs - page.pulls[0].sentMs <= 20_000);
    assert.deepEqual(new Set((await page.failures()).map(({ code }) => code)), new Set(["network"]));
    page.assertClean(REFUSED);
  });

  test("sends what was seen while the server was down", async (t) => {
    const server = await set.ownServer(t, { guarded: false });
    const { page, ids } = await set.chat(t, { id: "down", count: 2, user: "bob", server });
    await page.call("mark", [ids[0]]);
    await until("the first mark", async () => (await server.read("down")).m1);
    await server.kill();
    await page.call("mark", [ids[1]]);
    await until("the marks fail", () => page.marks.some(({ failure }) => failure));
    assert.deepEqual(await page.call("waiting"), ["m2"]);
    await server.begin();
    await until("the second mark", async () => (await server.read("down")).m2, 40_000);
    assert.deepEqual(await server.read("down"), { m1: 1, m2: 1 });
    await until("nothing waits", async () => !(await page.call("waiting")).length);
    page.assertClean(REFUSED);
  });

  test("asks for another token, once, when its own has expired", async (t) => {
    const server = await set.ownServer(t, { flags: ["--token-leeway", "0s"] });
    set.pages.servers.expiry = server;
    const { page, ids } = await set.chat(t, { id: "expiry", count: 1, server, ttlS: 4, tokens: "expiry" });
    await page.call("watch", ids);
    await until("the token is refused", () => page.pulls.some(({ status }) => status === 401));
    await until("the new one is good", () => [200, 304].includes(page.pulls.at(-1).status));
    const at = page.pulls.findIndex(({ status }) => status === 401);
    assert.notEqual(page.pulls[at + 1].headers.Authorization, page.pulls[at].headers.Authorization);
    assert.equal(set.pages.asked.expiry, 2);
    assert.deepEqual(await page.failures(), []);
    page.assertClean(/401/);
  });

  test("waits for as long as a busy server says", async (t) => {
    const busy = await set.relay(t);
    const { page, ids } = await set.chat(t, { id: "busy", count: 1, url: busy.url });
    await page.call("watch", ids);
    await page.answered(1);
    busy.instead = () => {
      busy.instead = undefined;
      const body = JSON.stringify({ code: "overloaded", detail: "much to do" });
      return { status: 503, headers: { "Retry-After": "5", "Content-Type": "application/problem+json" }, body };
    };
    await page.answered(3);
    assert.deepEqual(page.pulls.slice(0, 3).map(({ status }) => status), [200, 503, 304]);
    assertPace(page.pulls.slice(1, 3), 5_000, 5_000);
    assert.deepEqual(await page.failures(), [{ status: 503, code: "overloaded" }]);
    page.assertClean(/503/);
  });

  test("asks a server that refuses for good no second time", async (t) => {
    const proxy = await set.relay(t);
    proxy.instead = () => ({ status: 403, headers: { "Content-Type": "text/html" }, body: "<h1>Forbidden</h1>" });
    const { page, ids } = await set.chat(t, { id: "refused", count: 1, url: proxy.url });
    await page.call("watch", ids);
    await page.answered(1);
    await pass(4_600);
    assert.equal(page.pulls.length, 1);
    assert.deepEqual(await page.failures(), [{ status: 403, code: "http" }]);
    page.assertClean(/403/);
  });

  test("pulls and marks at once when the network is back", async (t) => {
    const { page, ids } = await set.chat(t, { id: "offline", count: 2 });
    const reader = await set.page(t, { id: "offline", user: "bob" });
    await page.call("watch", ids);
    await page.answered(1);
    await Promise.all([page, reader].map(({ tab }) => tab.context().setOffline(true)));
    await reader.call("add", ids, 50);
    await reader.call("mark", ids);
    await until("a pull fails", () => page.pulls.some(({ failure }) => failure));
    await until("marks fail", () => reader.marks.some(({ failure }) => failure));
    // Here a second of failing is waited for, so that what comes next would not come by itself so soon.
    await pass(3_000);
    const before = reader.marks.length;
    await reader.tab.context().setOffline(false);
    await until("marks at once", () => reader.marks.length > before, 1_000);
    await until("they arrive", async () => (await set.server.read("offline")).m2);
    const pulls = page.pulls.length;
    await page.tab.context().setOffline(false);
    await until("a pull at once", () => page.pulls.length > pulls, 1_000);
    await until("the count is right", async () => (await page.told("m2"))?.read === 1);
    page.assertClean(/ERR_INTERNET_DISCONNECTED/);
    reader.assertClean(/ERR_INTERNET_DISCONNECTED/);
  });
});
