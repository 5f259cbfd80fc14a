// @vitest-environment happy-dom
/** The README's examples for React and React Native: their types, and what they do, with a stub of `react-native`. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { writeExamples } from "./examples.js";
import { pass, restore, Server } from "./world.js";

let written: Awaited<ReturnType<typeof writeExamples>>;
let server: Server;
let page: HTMLElement;

class Observer {
  constructor(readonly told: (entries: object[]) => void) {}

  observe(target: Element): void {
    this.told([{ target, isIntersecting: true, intersectionRatio: 1 }]);
  }

  disconnect(): void {}
}

beforeAll(async () => {
  written = await writeExamples("react", "https://chat.example.com");
});

afterAll(() => written.remove());

beforeEach(() => {
  server = new Server();
  server.counts.set("m1", { read: 1, of: 3 }).set("m2", { read: 0, of: 3 });
  vi.useFakeTimers({ now: 0 });
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("IntersectionObserver", Observer);
  vi.stubGlobal("fetch", server.fetch);
  page = document.createElement("main");
});

afterEach(() => {
  vi.unstubAllGlobals();
  restore();
});

const marked = () => server.calls.filter(({ path }) => path.endsWith("/marks")).map(({ body }) => body.messages);
const pulled = () => server.calls.filter(({ path }) => path.includes("/receipts?")).length;

test("their types hold", () => {
  const config = written.path("tsconfig.json");
  const compilerOptions = { rootDir: "../..", jsx: "react-jsx", noEmit: true, types: [] };
  writeFileSync(config, JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["*.tsx"] }));
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", config], { encoding: "utf8" });
});

test("react", async () => {
  const { Sent, Received } = await import(/* @vite-ignore */ written.path("react.js"));
  const root = createRoot(page);
  await act(async () => root.render([
    createElement(Sent, { key: 1, id: "m1", text: "Hello" }),
    createElement(Received, { key: 2, id: "m3", text: "Hi" }),
  ]));
  await act(() => pass(2_000));
  expect(page.innerHTML).toBe("<p>Hello read by 1 of 3</p><p>Hi</p>");
  expect(marked()).toEqual([["m3"]]);
  await act(async () => root.unmount());
});

test("react-native", async () => {
  const { Chat } = await import(/* @vite-ignore */ written.path("react-native-list.js"));
  const native: typeof import("./react-native/index.js") = await import(
    /* @vite-ignore */ written.path("node_modules/react-native/index.js")
  );
  const root = createRoot(page);
  await act(async () => root.render(createElement(Chat, { ids: ["m1", "m2", "m3"], mine: ["m1"] })));
  await act(() => pass(5_000));
  expect(server.calls).toEqual([]);
  await act(async () => native.scrollTo(2));
  await act(() => pass(5_000));
  expect(page.textContent).toBe("read by 1 of 3");
  expect(marked()).toEqual([["m2"]]);
  const before = pulled();
  expect(before).toBe(3);
  await act(async () => native.AppState.change("background"));
  await act(() => pass(30_000));
  expect(pulled()).toBe(before);
  await act(async () => native.AppState.change("active"));
  await act(() => pass(1_000));
  expect(pulled()).toBe(before + 1);
  await act(async () => root.unmount());
});
