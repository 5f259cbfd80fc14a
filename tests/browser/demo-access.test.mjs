/** The demo's page for those who see little, or use no mouse. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import axe from "axe-core";
import { stage } from "./demo.mjs";
import { until } from "./wait.mjs";

const set = stage();

const SIZES = {
  desktop: { viewport: { width: 1_280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};

/** What axe finds wrong, a line each. */
async function violations(tab) {
  const { violations } = await tab.evaluate(() => window.axe.run());
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

/** Presses a key until what has the focus is `selector`. */
async function walkTo(tab, selector, key = "Tab") {
  for (let presses = 0; presses < 40; presses += 1) {
    if (await tab.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
    await tab.keyboard.press(key);
  }
  assert.fail(`no ${key} comes to ${selector}`);
}

describe("the demo", { concurrency: 2 }, () => {
  for (const [size, options] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      test(`has nothing that axe finds wrong, ${colorScheme} on a ${size}`, async (t) => {
        const demo = await set.demo(t, { ...options, colorScheme });
        // The policy of the page lets no script in; what the debugger evaluates is none of the page's.
        await demo.tab.evaluate(axe.source);
        await demo.page.answered(2);
        assert.deepEqual(await violations(demo.tab), []);
        await demo.newest.locator("[data-receipt]").click();
        await demo.tab.locator("dialog[open]").waitFor();
        await demo.tab.locator("dialog [data-user]").first().waitFor();
        assert.deepEqual(await violations(demo.tab), []);
        demo.assertClean();
      });
    }
  }

  test("is seen as a whole on a small desktop, and says in words what is chosen on a phone", async (t) => {
    const { tab } = await set.demo(t, SIZES.desktop);
    assert.ok(await tab.evaluate(() => document.documentElement.scrollHeight <= innerHeight), "there is nothing to scroll");
    await tab.setViewportSize(SIZES.phone.viewport);
    assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    const heights = await tab.locator(".says").evaluateAll((all) => all.map(({ clientHeight }) => clientHeight));
    assert.ok(heights.length === 2 && heights.every((height) => height > 10), `${heights}`);
  });

  test("names a message's receipts by its text", async (t) => {
    const demo = await set.demo(t);
    await demo.page.answered(1);
    await demo.tab.getByRole("button", { name: /please read this one!: [\d,]+ of 1,999 have read$/ }).waitFor();
    demo.assertClean();
  });

  test("is used with the keyboard alone", async (t) => {
    const demo = await set.demo(t);
    const { tab } = demo;
    await until("the first count", async () => (await demo.page.answered(1)) && (await demo.count()) > 0);
    await walkTo(tab, `[data-receipt=${await demo.newest.getAttribute("data-message")}]`);
    await tab.keyboard.press("Enter");
    await tab.locator("dialog[open] [data-user]").first().waitFor();
    await walkTo(tab, "dialog [name=half]");
    await tab.keyboard.press("ArrowRight");
    await tab.locator("dialog [name=half][value=unread]:checked").waitFor();
    await walkTo(tab, "#search");
    await tab.keyboard.type("mara");
    await until("the names are found", () => tab.locator("dialog [data-user]").evaluateAll((found) =>
      found.length > 0 && found.every(({ textContent }) => /mara/i.test(textContent))));
    // A search field takes the first Escape for itself where there is something in it.
    await tab.keyboard.press("Escape");
    await tab.keyboard.press("Escape");
    await until("the dialog is closed", async () => !(await tab.locator("dialog[open]").count()));
    assert.ok(await tab.evaluate(() => document.activeElement.matches("[data-receipt]")), "the focus is back");
    await walkTo(tab, "#text");
    await tab.keyboard.press("Control+A");
    await tab.keyboard.type("By keyboard");
    await tab.keyboard.press("Enter");
    await until("the message is sent", async () => /By keyboard/.test(await demo.newest.textContent()));
    await walkTo(tab, "[name=strategy]");
    await tab.keyboard.press("ArrowRight");
    await until("a stream", () => demo.page.streams.length);
    await walkTo(tab, "[name=behaviour]");
    await tab.keyboard.press("ArrowRight");
    assert.notEqual(await tab.locator("[name=behaviour]:checked").getAttribute("value"), "day");
    demo.assertClean();
  });
});
