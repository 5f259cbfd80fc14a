/** When a page of another origin pulls, and when it does not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertPace, namedIn } from "./browser.mjs";
import { stage } from "./stage.mjs";
import { pass, until } from "./wait.mjs";

/** What "at once" is on a machine where others build as well. */
const AT_ONCE_MS = 1_000;

const set = stage();

describe("a page", { concurrency: 12 }, () => {
  test("pulls at once and then every two seconds, and stops by twenty", async (t) => {
    const { page, ids } = await set.chat(t, { id: "window", count: 1 });
    const lookedAt = await page.call("watch", ids);
    await page.answered(1);
    assert.ok(page.pulls[0].wallMs - lookedAt < AT_ONCE_MS);
    // Longer than the window and the longest wait for another pull.
    await pass(23_500);
    const { pulls } = page;
    assertPace(pulls, 2_000, 2_200);
    assert.ok(pulls.length >= 8 && pulls.length <= 11, `${pulls.length} pulls`);
    assert.ok(pulls.at(-1).sentMs - pulls[0].sentMs <= 20_000);
    page.assertClean();
  });

  test("obeys the server's word on pace and window, and begins a new look anew", async (t) => {
    const flags = ["--poll-every", "1s", "--poll-every-max", "1s", "--poll-for", "5s"];
    const server = await set.ownServer(t, { guarded: false, flags });
    const { page, ids } = await set.chat(t, { id: "pace", count: 11, heightPx: 100, server });
    await page.call("watch", [ids[0]]);
    await page.answered(1);
    await pass(7_500);
    const first = [...page.pulls];
    assertPace(first, 1_000, 1_100);
    assert.ok(first.length >= 3 && first.length <= 6, `${first.length} pulls`);
    assert.ok(first.at(-1).sentMs - first[0].sentMs <= 5_000);
    await page.call("scrollTo", ids[10]);
    await page.call("scrollTo");
    await page.answered(first.length + 2);
    assertPace(page.pulls.slice(first.length), 1_000, 1_100);
    page.assertClean();
  });

  test("stops when the message scrolls away, and pulls at once when it comes back", async (t) => {
    const { page, ids } = await set.chat(t, { id: "scroll", count: 20, heightPx: 100 });
    await page.call("watch", [ids[0]]);
    await page.answered(2);
    await page.call("scrollTo", ids[10]);
    const before = page.pulls.length;
    await pass(4_600);
    assert.equal(page.pulls.length, before);
    await page.call("scrollTo");
    await until("a pull of the new look", () => page.pulls.length > before, 1_500);
    page.assertClean();
  });

  test("serves twenty messages on screen with one request, and asks for leave to send it no second time", async (t) => {
    // Twenty fill the screen of 500 pixels, and twenty are below it.
    const { page, ids } = await set.chat(t, { id: "twenty", count: 40, heightPx: 25 });
    await page.call("watch", ids);
    await page.answered(4);
    for (const pull of page.pulls) assert.deepEqual(namedIn(pull).sort(), ids.slice(0, 20).sort());
    // The browser's leave is for an address: that of the first pull, and that of those that say what is known.
    assert.equal(page.preflights.length, new Set(page.pulls.map(({ url }) => url)).size);
    assertPace(page.pulls, 2_000, 2_200);
    page.assertClean();
  });

  test("is told by 304 that nothing has changed, and else only what has", async (t) => {
    const { page, ids } = await set.chat(t, { id: "etag", count: 3 });
    await page.call("watch", ids);
    await page.answered(2);
    await set.server.mark("etag", "bob", "m2");
    await until("the mark is shown", async () => (await page.told("m2"))?.read === 1);
    await page.answered(page.pulls.length + 1);
    const answered = page.pulls.filter(({ status }) => status);
    const changed = answered.filter(({ status }) => status === 200);
    assert.equal(changed.length, 2);
    assert.ok(answered.some(({ status }) => status === 304));
    let etag;
    for (const { headers, answerHeaders, status } of answered) {
      assert.equal(headers["If-None-Match"], etag);
      if (status === 200) etag = answerHeaders.etag ?? answerHeaders.ETag;
    }
    assert.deepEqual(await page.told("m1"), { read: 0, of: 2 });
    assert.deepEqual(await page.told("m2"), { read: 1, of: 2 });
    page.assertClean();
  });

  test("never has two pulls under way, however slow the answers are", async (t) => {
    const slow = await set.relay(t);
    slow.instead = () => pass(3_000);
    const { page, ids } = await set.chat(t, { id: "slow", count: 4, url: slow.url });
    await page.call("watch", ids.slice(0, 2));
    await until("a pull is under way", () => page.pulls.length);
    await page.call("watch", ids.slice(2));
    await page.answered(3);
    page.pulls.slice(1).forEach(({ sentMs }, at) => assert.ok(sentMs >= page.pulls[at].doneMs));
    assert.equal(namedIn(page.pulls[0]).length, 2);
    assert.equal(namedIn(page.pulls[1]).length, 4);
    page.assertClean();
  });

  test("asks four times as often as the pace at the most while new messages come", async (t) => {
    const ids = await set.server.conversation("coming", ["alice", "bob"], 20);
    const page = await set.page(t, { id: "coming", user: "alice" });
    for (const id of ids) {
      await page.call("add", [id], 20);
      await page.call("watch", [id]);
      await pass(100);
    }
    await until("all are known", async () => (await page.told("m20")) && page.told("m1"));
    assertPace(page.pulls, 500, 2_200);
    page.assertClean();
  });

  test("pulls for a message taller than the screen while half of the screen is its", async (t) => {
    const { page, ids } = await set.chat(t, { id: "tall", count: 3, heightPx: 1_500 });
    const scroll = (px) => page.tab.evaluate((px) => (document.getElementById("chat").scrollTop = px), px);
    await page.tab.setViewportSize({ width: 800, height: 500 });
    await page.call("watch", ids);
    await page.answered(1);
    assert.deepEqual(namedIn(page.pulls[0]), ["m1"]);
    // The middle of the second, and then a fifth of the screen for the second and the rest for the third.
    for (const [px, message] of [[2_000, "m2"], [2_900, "m3"]]) {
      await scroll(px);
      const before = page.pulls.length;
      await until("the next pull", () => page.pulls.length > before);
      assert.deepEqual(namedIn(page.pulls.at(-1)), [message]);
    }
    page.assertClean();
  });
});
