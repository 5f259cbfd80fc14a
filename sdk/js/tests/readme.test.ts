/** What the README shows and says: its examples are run against a real server, its figures measured. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { examples, readme, writeExamples } from "./examples.js";
import { binary, Served, until } from "./served.js";
import { numbered } from "./world.js";

test("every example is at most ten lines, and every block of code in a language of ours has a name", () => {
  expect(examples.length).toBeGreaterThanOrEqual(10);
  expect(readme.match(/^```\w/gm)).toHaveLength(examples.length);
  for (const { name, code } of examples) expect([name, code.trimEnd().split("\n").length <= 10]).toEqual([name, true]);
});

describe.skipIf(!binary)("with a real server, each example does what it is there for:", () => {
  const open = new Served();
  const guarded = new Served();
  const processes: ChildProcess[] = [];
  let written: Awaited<ReturnType<typeof writeExamples>>;
  let writtenGuarded: typeof written;

  beforeAll(async () => {
    await Promise.all([open.start(), guarded.start({ guarded: true })]);
    written = await writeExamples("open", open.url);
    writtenGuarded = await writeExamples("guarded", guarded.url);
  });

  afterEach(async () => {
    for (const child of processes.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill();
        await once(child, "exit");
      }
    }
    await open.app("DELETE", "conversations/c1");
  });

  afterAll(async () => {
    written.remove();
    writtenGuarded.remove();
    await Promise.all([open.stop(), guarded.stop()]);
  });

  /** A process that runs the example, in a page if there is one, and what it says. */
  function run(path: string, page?: string, env: Record<string, string> = {}) {
    const before = page === undefined ? [] : ["--import", new URL("page.mjs", import.meta.url).href];
    const child = spawn(process.execPath, [...before, path], {
      env: { ...process.env, PAGE: page, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    processes.push(child);
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    const says = (text: string) => until(() => said.includes(text));
    return { child, says };
  }

  const read = async (served = open) => (await served.app("GET", "conversations/c1/messages/m1")).read;
  const untilRead = (served = open) => until(async () => (await read(served)) === 1);

  test("sender", async () => {
    await open.register("c1", "m1");
    const { says } = run(written.path("sender.js"), '<p data-message="m1">Hello</p>');
    await says('title="read by 0 of 2"');
    await open.mark("c1", "bob", "m1");
    await says('title="read by 1 of 2"');
  });

  test("reader", async () => {
    await open.register("c1", "m1");
    run(written.path("reader.js"), '<p data-message="m1">Hello</p>');
    await untilRead();
  });

  test("token", async () => {
    await guarded.register("c1", "m1");
    run(writtenGuarded.path("token.js"), "", { TOKEN: guarded.token("bob") });
    await untilRead(guarded);
  });

  test("node", async () => {
    await open.register("c1", "m1", "m2");
    const { child, says } = run(written.path("node.js"));
    await says("bob has 1 to read, from m2 on");
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });

  test("stream", async () => {
    await open.register("c1", "m1");
    const { child, says } = run(written.path("stream.js"));
    await says("{ read: 0, of: 2 }");
    await open.mark("c1", "bob", "m1");
    await says("{ read: 1, of: 2 }");
    // With the stream nothing is left.
    if (child.exitCode === null) await once(child, "exit");
  });

  test("chats", async () => {
    await open.register("c1", "m1");
    const { says } = run(written.path("chats.js"), '<p data-conversation="c1" data-message="m1">Hello</p>');
    await open.mark("c1", "bob", "m1");
    await says('class="read"');
  });

  test("up-to", async () => {
    await open.register("c1", ...numbered(101));
    const { child } = run(written.path("up-to.js"));
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
    await untilRead();
  });

  test("lists", async () => {
    await open.register("c1", "m1");
    await open.mark("c1", "bob", "m1");
    const { says } = run(written.path("lists.js"));
    await says("read: bob\nnot yet: carol\n");
  });

  test("keep", async () => {
    await open.register("c1", "m1");
    run(written.path("keep.js"), "");
    await untilRead();
  });
});
