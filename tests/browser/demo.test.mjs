/** The demo's page: what it does on the wire is what it shows, and it lives through what may happen to it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertPace } from "./browser.mjs";
import { OTHERS, stage } from "./demo.mjs";
import { pass, until } from "./wait.mjs";

const set = stage();
/** What a browser says of a server that is not there. */
const NO_SERVER = /ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|FAILED)/;

describe("the demo", { concurrency: 5 }, () => {
  test("pulls every two seconds while its message is on screen, stops by twenty, and shows just that", async (t) => {
    const demo = await set.demo(t);
    await demo.page.answered(1);
    await demo.becomes("over", 30_000);
    await pass(2_300);
    const { pulls } = demo.page;
    // The first goes out while the page is still being built, and so not at once.
    assertPace(pulls.slice(1), 2_000, 2_200);
    assert.ok(pulls.length >= 8 && pulls.length <= 11, `${pulls.length} pulls`);
    assert.ok(pulls.at(-1).sentMs - pulls[0].sentMs <= 20_000);
    await until("the totals agree with the wire", () => demo.agrees());
    assert.ok((await demo.count()) > 0);
    demo.assertClean();
  });

  test("stops when the message scrolls away, and begins anew when it is back", async (t) => {
    const demo = await set.demo(t);
    await demo.page.answered(2);
    // To where nothing can change any more: all have read the oldest messages.
    await demo.scroll(false);
    await until("nothing is asked for", async () => (await demo.state()) !== "asking");
    const before = demo.page.pulls.length;
    await pass(4_600);
    assert.ok(demo.page.pulls.length <= before + 1, "those that came on screen may be asked for once");
    await demo.scroll(true);
    await demo.becomes("asking");
    await demo.page.answered(before + 2);
    await until("the totals agree with the wire", () => demo.agrees());
    demo.assertClean();
  });

  test("stops when its page is hidden, while the others go on reading, and catches up at once", async (t) => {
    const demo = await set.demo(t, { newPage: "newTab" });
    await demo.page.answered(2);
    const count = await demo.count();
    const other = await set.browser.newTab();
    t.after(() => other.close());
    await other.tab.bringToFront();
    await until("the page is hidden", () => demo.tab.evaluate(() => document.visibilityState === "hidden"));
    const before = demo.page.pulls.length;
    await pass(6_000);
    assert.equal(demo.page.pulls.length, before);
    await demo.tab.bringToFront();
    await demo.page.answered(before + 1);
    await until("the count has risen", async () => (await demo.count()) > count, 3_000);
    await until("the totals agree with the wire", () => demo.agrees());
    demo.assertClean();
  });

  test("counts up to all 1,999, and then asks no more", async (t) => {
    const demo = await set.demo(t);
    await demo.send("Everybody read this, please");
    await demo.choose("behaviour", "once");
    await until("all have read", async () => (await demo.count()) === OTHERS, 40_000);
    await demo.becomes("done");
    const before = demo.page.pulls.length;
    await pass(2_500);
    assert.equal(demo.page.pulls.length, before);
    assert.match(await demo.newest.locator(".count").textContent(), /^All 1,999 have read$/);
    demo.assertClean();
  });

  test("lists who has read a message and who has not, and finds a name", async (t) => {
    const demo = await set.demo(t);
    await demo.choose("behaviour", "nobody");
    // The one before the last: some have read it, and some have not.
    const message = demo.tab.locator("[data-message].own").nth(-2);
    await demo.countOf(message);
    await message.locator("[data-receipt]").click();
    const dialog = demo.tab.locator("dialog[open]");
    const people = dialog.locator("[data-user]");
    await people.first().waitFor();
    const told = dialog.locator("[data-part=readers]");
    await until("the same count", async () => (await told.textContent()) === (await demo.countOf(message)));
    const reader = await people.first().getAttribute("data-user");
    await dialog.locator("[name=half][value=unread]").check({ force: true });
    await until("the other list", async () => (await people.first().getAttribute("data-user")) !== reader);
    const names = await people.evaluateAll((found) => found.map(({ textContent }) => textContent));
    assert.ok(names.length >= 100);
    const last = await people.last().getAttribute("data-user");
    await dialog.locator("#search").fill(last.replace("-", " "));
    await until("the name alone, or those that begin so", async () => (await people.count()) < 20);
    assert.ok(await dialog.locator(`[data-user="${last}"]`).isVisible());
    await dialog.locator("#search").fill("nobody is called so");
    await until("nobody", async () => (await people.count()) === 0);
    await dialog.locator("[data-part=close]").click();
    demo.assertClean();
  });

  test("is told by a stream in place of pulls when that is chosen", async (t) => {
    const demo = await set.demo(t);
    await demo.page.answered(1);
    await demo.choose("strategy", "stream");
    await until("a stream", () => demo.page.streams.length);
    const before = demo.page.pulls.length;
    const count = await demo.count();
    await until("events are counted", async () => (await demo.total("events")) >= 3);
    await until("the count has risen", async () => (await demo.count()) > count);
    assert.equal(demo.page.pulls.length, before);
    assert.equal(await demo.total("pulls"), 0);
    demo.assertClean();
  });

  test("pulls on with nobody looking when that is chosen", async (t) => {
    const demo = await set.demo(t);
    await demo.choose("strategy", "always");
    await demo.scroll(false);
    const before = demo.page.pulls.length;
    await demo.page.answered(before + 3);
    await demo.choose("strategy", "pull");
    await until("nothing is asked for", async () => (await demo.state()) !== "asking");
    demo.assertClean();
  });

  test("marks what others write as read once it was seen", async (t) => {
    const demo = await set.demo(t);
    await demo.tab.locator("[data-message].foreign[data-marked]").last().waitFor();
    await until("marks were sent", () => demo.page.marks.length);
    const marked = demo.tab.locator("[data-message].foreign").last();
    await until("the newest is marked", async () => (await marked.getAttribute("data-marked")) !== null);
    demo.assertClean();
  });

  test("survives a kill of the server", async (t) => {
    const server = await set.ownServer(t);
    const demo = await set.demo(t, { server });
    await demo.page.answered(2);
    const count = await demo.count();
    await server.kill();
    await until("the page says so", async () => /answer/.test(await demo.tab.locator("#status").textContent()));
    await demo.becomes("again");
    await server.begin();
    await until("the page has recovered", async () => (await demo.tab.locator("#status").textContent()) === "");
    await demo.send("Are you still there?");
    await until("the count rises", async () => (await demo.count()) > 0, 30_000);
    assert.ok(count <= OTHERS);
    demo.assertClean(NO_SERVER);
  });

  test("says in the dialog that a list could not be loaded, and loads it once the server is back", async (t) => {
    const server = await set.ownServer(t);
    const demo = await set.demo(t, { server });
    const message = demo.tab.locator("[data-message].own").nth(-2);
    await demo.countOf(message);
    await server.kill();
    await message.locator("[data-receipt]").click();
    const part = (name) => demo.tab.locator(`dialog[open] [data-part=${name}]`);
    await until("it says so", async () => (await part("found").textContent()) === "Could not be loaded");
    await part("again").waitFor();
    await until("it says why", async () => /answer/.test(await part("trouble").textContent()));
    await server.begin();
    await demo.tab.locator("dialog [data-user]").first().waitFor();
    await until("it says why no more", async () => (await part("trouble").textContent()) === "");
    const told = /^([\d,]+) of/.exec(await part("told").textContent())[1];
    assert.equal(await part("readers").textContent(), told, "one number, wherever it comes from");
    demo.assertClean(NO_SERVER);
  });

  test("sends nothing more to a server that has forgotten its chat, and says why", async (t) => {
    const demo = await set.demo(t);
    await demo.choose("behaviour", "nobody");
    await demo.page.answered(1);
    const chat = /conversations\/[^/]+/.exec(demo.page.pulls[0].url)[0];
    await fetch(`${demo.server.url}/v1/${chat}`, { method: "DELETE" });
    await demo.becomes("forgotten");
    assert.ok(await demo.tab.locator("#send").isDisabled());
    assert.match(await demo.tab.locator("#status").textContent(), /forgotten this chat/);
    demo.assertClean(/404/);
  });

  test("compares with naive push only once there is something to compare with", async (t) => {
    const demo = await set.demo(t);
    await demo.choose("behaviour", "nobody");
    await demo.tab.locator("#reset").click();
    await demo.page.answered(1);
    const ratio = demo.tab.locator("[data-ratio=bytes]");
    // Longer than the time before which it would be chance.
    await pass(11_000);
    assert.equal(await demo.tab.locator("[data-push=events]").textContent(), "0");
    assert.equal(await ratio.textContent(), "");
    await demo.choose("behaviour", "once");
    await until("a ratio", async () => /times as much/.test(await ratio.textContent()), 15_000);
    demo.assertClean();
  });
});
