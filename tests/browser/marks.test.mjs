/** Which messages a page of a reader marks, and that the server has them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stage } from "./stage.mjs";
import { pass, until } from "./wait.mjs";

const set = stage();

const bodyOf = ({ postData }) => JSON.parse(postData);

/** Waits until the server has a mark of the message, and the page knows it: then its record is whole. */
async function arrives(page, id, message) {
  await until(`the mark of ${message}`, async () => (await set.server.read(id))[message] > 0);
  await until("nothing waits", async () => !(await page.call("waiting")).length);
}

/** The messages that somebody has read. */
const readOf = async (id) => Object.entries(await set.server.read(id)).flatMap(([message, read]) => (read ? [message] : []));

/**
 * A chat of bob in which `move` has moved what is on screen so fast that nothing was seen: it gives for how long something
 * stood still, which has to be less than `mostMs`. Where the machine stood still itself, it is done again with another chat.
 */
async function moved(t, name, count, mostMs, move) {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const id = `${name}-${attempt}`;
    const chat = await set.chat(t, { id, count, user: "bob" });
    if ((await move(chat)) < mostMs) return { ...chat, id };
  }
  throw new Error("the machine is too busy for anything to fly by");
}

describe("a reader's page", { concurrency: 12 }, () => {
  test("marks what stays on screen, in one request, and not what flies by", async (t) => {
    const { page, ids, id } = await moved(t, "fly", 100, 400, ({ page, ids }) =>
      page.tab.evaluate((ids) => {
        window.chat.mark(ids);
        return window.chat.flyToEnd();
      }, ids));
    await arrives(page, id, "m100");
    assert.equal(page.marks.length, 1);
    assert.deepEqual(bodyOf(page.marks[0]).messages.sort(), ids.slice(90).sort());
    assert.deepEqual(await readOf(id), ids.slice(90));
    page.assertClean();
  });

  test("marks nothing that was on screen for less than half a second", async (t) => {
    const { page, id } = await moved(t, "glance", 30, 450, ({ page, ids }) =>
      page.tab.evaluate(async (ids) => {
        const begun = performance.now();
        window.chat.mark(ids.slice(0, 5));
        await new Promise((done) => setTimeout(done, 300));
        await window.chat.scrollTo(ids[20]);
        return performance.now() - begun;
      }, ids));
    // Half a second to be seen, and a second to be gathered.
    await pass(2_000);
    assert.equal(page.marks.length, 0);
    assert.deepEqual(await readOf(id), []);
    page.assertClean();
  });

  test("says all that it has seen as one `up to` where it knows what comes before", async (t) => {
    const { page, ids } = await set.chat(t, { id: "upto", count: 10, user: "bob" });
    const previous = Object.fromEntries(ids.map((id, at) => [id, at ? ids[at - 1] : null]));
    await page.call("mark", ids, previous);
    await arrives(page, "upto", "m10");
    assert.deepEqual(page.marks.map((request) => bodyOf(request).up_to), ["m10"]);
    assert.deepEqual(await readOf("upto"), ids);
    page.assertClean();
  });

  test("marks a message taller than the screen when half of the screen was its", async (t) => {
    const { page, ids } = await set.chat(t, { id: "tall", count: 2, heightPx: 1_500, user: "bob" });
    await page.tab.setViewportSize({ width: 800, height: 500 });
    await page.call("mark", ids);
    await arrives(page, "tall", "m1");
    assert.deepEqual(await readOf("tall"), ["m1"]);
    page.assertClean();
  });

  test("shows the sender the count on another page", async (t) => {
    const { page: sender, ids } = await set.chat(t, { id: "both", count: 3 });
    await sender.call("watch", ids);
    await sender.answered(1);
    const reader = await set.page(t, { id: "both", user: "bob" });
    await reader.call("add", ids, 50);
    await reader.call("mark", ids);
    await until("the sender sees it", async () => (await sender.told("m3"))?.read === 1);
    assert.deepEqual(await sender.told("m1"), { read: 1, of: 2 });
    sender.assertClean();
    reader.assertClean();
  });
});
