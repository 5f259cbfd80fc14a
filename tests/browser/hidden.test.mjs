/** What a page does that is really hidden, by another tab in front of it. One after the other: they share a window. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertPace } from "./browser.mjs";
import { stage } from "./stage.mjs";
import { pass, until } from "./wait.mjs";

const set = stage();
const newPage = "newTab";

/** Brings another tab to the front; gives a function that brings the page back. */
async function hide(t, page) {
  const other = await set.browser.newTab();
  await other.tab.bringToFront();
  await until("the page is hidden", () => page.tab.evaluate(() => document.visibilityState === "hidden"));
  t.after(() => other.close());
  return () => page.tab.bringToFront();
}

describe("a hidden page", () => {
  test("pulls no more, and at once when it is shown again", async (t) => {
    const { page, ids } = await set.chat(t, { id: "hidden", count: 1, newPage });
    await page.call("watch", ids);
    await page.answered(2);
    const show = await hide(t, page);
    const before = page.pulls.length;
    await pass(4_600);
    assert.equal(page.pulls.length, before);
    await show();
    await page.answered(before + 2);
    assertPace(page.pulls.slice(before), 2_000, 2_200);
    page.assertClean();
  });

  test("marks nothing that it was hidden from within half a second, until it is shown again", async (t) => {
    const { page, ids } = await set.chat(t, { id: "unseen", count: 5, user: "bob", newPage });
    const other = await set.browser.newTab();
    t.after(() => other.close());
    for (const message of ids) {
      await page.tab.bringToFront();
      await page.tab.evaluate((message) => {
        const begun = performance.now();
        document.addEventListener("visibilitychange", () => (window.lookedMs = performance.now() - begun), { once: true });
        window.chat.mark([message]);
      }, message);
      await other.tab.bringToFront();
      const lookedMs = await until("the page is hidden", () => page.tab.evaluate(() => document.hidden && window.lookedMs));
      // Where the machine stood still, it was seen: again, with the next.
      if (lookedMs > 450) continue;
      // Half a second to be seen, and a second to be gathered.
      await pass(2_000);
      assert.equal((await set.server.read("unseen"))[message], 0);
      await page.tab.bringToFront();
      await until("the mark arrives", async () => (await set.server.read("unseen"))[message] === 1);
      page.assertClean();
      return;
    }
    assert.fail("the machine is too busy to hide a page within half a second");
  });

  test("sends what waits at once when it is hidden", async (t) => {
    const { page, ids } = await set.chat(t, { id: "leaving", count: 2, user: "bob", newPage });
    await page.call("mark", ids);
    await until("both wait", async () => (await page.call("waiting")).length === 2);
    const hiddenAt = performance.now();
    await hide(t, page);
    await until("the marks arrive", async () => (await set.server.read("leaving")).m2 === 1);
    assert.equal(page.marks.length, 1, `after ${performance.now() - hiddenAt} ms`);
    // The answer is waited for while the page stays; nothing is sent twice.
    await until("nothing waits", async () => !(await page.call("waiting")).length);
    await pass(1_200);
    assert.equal(page.marks.length, 1);
    page.assertClean();
  });
});
