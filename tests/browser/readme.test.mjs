/** The examples of the SDK's README that are for a page, in one of another origin than the server's. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "./server.mjs";
import { stage } from "./stage.mjs";
import { until } from "./wait.mjs";

const set = stage();

const readme = readFileSync(join(root, "sdk/js/README.md"), "utf8");
/** By their names, which stand behind the language at the fence. */
const examples = Object.fromEntries(Array.from(readme.matchAll(/^```js (\S+)\n(.*?)^```$/gms), ([, name, code]) => [name, code]));

/** Those for Node alone, which the SDK's own tests run. */
const ELSEWHERE = ["node"];

const MESSAGE = '<p data-message="m1">Hello</p>';

/** A server with the message `m1` of alice, and a page with this in its body that runs the example. */
async function run(t, name, body, { guarded = false, before } = {}) {
  const server = await set.ownServer(t, { guarded });
  await server.conversation("c1", ["alice", "bob", "carol"], 1);
  await before?.(server);
  const code = examples[name].replaceAll("https://chat.example.com/receipts", server.url);
  assert.notEqual(code, examples[name]);
  const { bodies, texts } = set.pages.more;
  bodies[`/examples/${name}`] = `${body}\n<script type="module">${code}</script>`;
  if (guarded) texts["/receipts-token"] = () => server.token("bob");
  const page = await set.browser.newPage();
  t.after(() => page.close());
  page.said = [];
  page.tab.on("console", (said) => page.said.push(said.text()));
  await page.tab.goto(`${set.pages.origin}/examples/${name}`);
  return { server, page };
}

const untilRead = (server) => until("the mark", async () => (await server.read("c1")).m1 === 1);
const says = (page, text) => until(`'${text}'`, () => page.said.includes(text));

/** Each does what it is there for. */
const TRIED = {
  async sender(t) {
    const { server, page } = await run(t, "sender", MESSAGE);
    const message = page.tab.locator("[data-message]");
    await until("the first count", async () => (await message.getAttribute("title")) === "read by 0 of 2");
    await server.mark("c1", "bob", "m1");
    await until("the mark", async () => (await message.getAttribute("title")) === "read by 1 of 2");
    return page;
  },

  async reader(t) {
    const { server, page } = await run(t, "reader", MESSAGE);
    await untilRead(server);
    return page;
  },

  async token(t) {
    const { server, page } = await run(t, "token", "", { guarded: true });
    await untilRead(server);
    return page;
  },

  async stream(t) {
    const { server, page } = await run(t, "stream", "");
    await says(page, "{read: 0, of: 2}");
    await server.mark("c1", "bob", "m1");
    await says(page, "{read: 1, of: 2}");
    return page;
  },

  async chats(t) {
    const { server, page } = await run(t, "chats", '<p data-conversation="c1" data-message="m1">Hello</p>');
    await server.mark("c1", "bob", "m1");
    await page.tab.locator("[data-conversation].read").waitFor();
    return page;
  },

  async lists(t) {
    const { page } = await run(t, "lists", "", { before: (server) => server.mark("c1", "bob", "m1") });
    await says(page, "read: bob");
    await says(page, "not yet: carol");
    return page;
  },

  async "up-to"(t) {
    const before = (server) => server.conversation("c1", ["alice", "bob", "carol"], 101);
    const { server, page } = await run(t, "up-to", "", { before });
    await untilRead(server);
    return page;
  },

  async keep(t) {
    const { server, page } = await run(t, "keep", "");
    await untilRead(server);
    const kept = () => page.tab.evaluate((key) => localStorage.getItem(key), `seenby:${server.url}:bob`);
    await until("nothing is kept", async () => (await kept()) === "[]");
    return page;
  },
};

describe("the README's example", { concurrency: 4 }, () => {
  for (const name of Object.keys(examples)) {
    if (ELSEWHERE.includes(name)) continue;
    test(`'${name}' does in Chromium what it is there for`, async (t) => {
      const page = await TRIED[name](t);
      page.assertClean(/ERR_ABORTED/);
    });
  }
});
