/** Marks that still waited when the page went away: they arrive at the server. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stage } from "./stage.mjs";
import { until } from "./wait.mjs";

const set = stage();

/** Closes the tab as its user does. */
const close = (page) => page.tab.close({ runBeforeUnload: false });
const leave = (page) => page.tab.goto(`${set.pages.origin}/empty`);

/**
 * A page of bob that has seen `m2`, whose mark waits. Before that `m1` was marked, if `isKnown`: then the browser knows
 * already that the server lets the page call.
 */
async function seen(t, id, isKnown, relayed) {
  const { page, ids } = await set.chat(t, { id, count: 2, user: "bob", url: relayed.url });
  if (isKnown) {
    await page.call("mark", [ids[0]]);
    await until("the first mark", async () => (await set.server.read(id)).m1);
    await until("nothing waits", async () => !(await page.call("waiting")).length);
  }
  await page.call("mark", [ids[1]]);
  await until("the second waits", async () => (await page.call("waiting")).includes("m2"));
  return page;
}

describe("a page that goes away", { concurrency: 4 }, () => {
  for (const [how, go] of [["is closed", close], ["is left for another", leave]]) {
    for (const isKnown of [true, false]) {
      const asked = isKnown ? "with the server's leave known" : "although the server has to be asked for its leave first";
      test(`sends its marks when it ${how}, ${asked}`, async (t) => {
        const id = `${how.split(" ")[1]}-${isKnown}`;
        const relayed = await set.relay(t);
        const page = await seen(t, id, isKnown, relayed);
        const before = relayed.requests.length;
        await go(page);
        await until("the mark arrives", async () => (await set.server.read(id)).m2 === 1);
        const methods = relayed.requests.slice(before).map(({ method }) => method);
        assert.deepEqual(methods, isKnown ? ["POST"] : ["OPTIONS", "POST"]);
        assert.deepEqual(page.errors, []);
      });
    }
  }
});
