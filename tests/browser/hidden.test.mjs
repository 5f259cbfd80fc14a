/** What a page does that is really hidden, by another tab in front of it. One after the other: they share a window. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
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
    assert.ok(page.pulls[before + 1].sentMs - page.pulls[before].sentMs >= 1_990);
    page.assertClean();
  });

  test("marks nothing that is on screen, until it is shown for half a second", async (t) => {
    const { page, ids } = await set.chat(t, { id: "unseen", count: 1, user: "bob", newPage });
    const show = await hide(t, page);
    await page.call("mark", ids);
    // Half a second to be seen, and a second to be gathered.
    await pass(2_000);
    assert.equal(page.marks.length, 0);
    await show();
    await until("the mark arrives", async () => (await set.server.read("unseen")).m1 === 1);
    page.assertClean();
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
