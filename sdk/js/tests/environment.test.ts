// @vitest-environment happy-dom
/** A page in a browser: what is on screen of it, and what happens to it. The observer is a stub. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { browser, createClient } from "../src/index.js";
import { pass, restore, Server } from "./world.js";

/** Each observer that was made. */
const observers: Observer[] = [];

class Observer {
  readonly observed: Element[] = [];

  constructor(
    readonly say: (entries: object[]) => void,
    readonly options: { root: Element | null; threshold: number[] },
  ) {
    observers.push(this);
  }

  observe(element: Element): void {
    this.observed.push(element);
  }

  disconnect(): void {
    this.observed.length = 0;
  }
}

let visibility = "visible";

beforeEach(() => {
  vi.stubGlobal("IntersectionObserver", Observer);
  visibility = "visible";
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility as DocumentVisibilityState);
  observers.length = 0;
});

afterEach(() => {
  vi.unstubAllGlobals();
  restore();
});

const entry = (target: Element, ratio: number, more: object = {}) => ({
  target,
  isIntersecting: ratio > 0,
  intersectionRatio: ratio,
  intersectionRect: { height: 100 * ratio },
  rootBounds: { height: 600 },
  ...more,
});

test.each([
  ["half of it", 0.5, {}, true],
  ["less than half of it", 0.49, {}, false],
  ["nothing of it", 0, {}, false],
  ["half of a screen of a taller message", 0.1, { intersectionRect: { height: 300 } }, true],
  ["less than half of a screen of a taller message", 0.1, { intersectionRect: { height: 299 } }, false],
  ["a tall message in a frame of another origin, whose screen is unknown", 0.1, { rootBounds: null }, false],
])("%s is on screen, or not", (_, ratio, more, is) => {
  const told = vi.fn();
  const element = document.createElement("p");
  browser().observe(element, told);
  observers[0]!.say([entry(element, ratio, more)]);
  expect(told.mock.calls).toEqual([[is]]);
});

test("half of a message is noticed, and half a screen of a tall one", () => {
  const page = browser(document.body);
  const element = document.createElement("p");
  page.observe(element, () => {});
  expect(observers[0]!.observed).toEqual([element]);
  expect(observers[0]!.options.root).toBe(document.body);
  expect(observers[0]!.options.threshold).toContain(0.5);
  expect(observers[0]!.options.threshold).toContain(1 / 40);
});

test("no observer is made before a message is looked at", () => {
  browser();
  expect(observers).toEqual([]);
});

test("two who observe one element are both told, and each leaves by itself", () => {
  const page = browser();
  const element = document.createElement("p");
  const [one, two] = [vi.fn(), vi.fn()];
  const leave = page.observe(element, one);
  const leaveToo = page.observe(element, two);
  for (const observer of observers) observer.say([entry(element, 1)]);
  expect([one.mock.calls, two.mock.calls]).toEqual([[[true]], [[true]]]);
  leave();
  leave();
  expect(observers.map(({ observed }) => observed)).toEqual([[], [element]]);
  leaveToo();
  expect(observers.map(({ observed }) => observed)).toEqual([[], []]);
});

test("hidden and shown are told once each, though a page that closes says so twice", () => {
  const told = vi.fn();
  const leave = browser().subscribe(told);
  const say = (state: string, target: EventTarget, type: string) => {
    visibility = state;
    target.dispatchEvent(new Event(type));
  };
  say("visible", window, "pageshow");
  expect(told).not.toHaveBeenCalled();
  say("hidden", document, "visibilitychange");
  say("hidden", window, "pagehide");
  say("visible", window, "pageshow");
  say("visible", document, "visibilitychange");
  say("visible", window, "pagehide");
  say("hidden", document, "visibilitychange");
  window.dispatchEvent(new Event("online"));
  expect(told.mock.calls.flat()).toEqual(["hidden", "shown", "hidden", "online"]);
  leave();
  say("visible", document, "visibilitychange");
  window.dispatchEvent(new Event("online"));
  expect(told).toHaveBeenCalledTimes(4);
});

test("in a browser a client watches the page by itself", async () => {
  vi.useFakeTimers();
  const server = new Server();
  server.counts.set("m1", { read: 1, of: 3 });
  const client = createClient({ url: "https://chat.example.com", fetch: server.fetch });
  const element = document.createElement("p");
  const told = vi.fn();
  client.conversation("c1").watch("m1", told, element);
  await pass(1_000);
  expect(server.calls).toEqual([]);
  observers[0]!.say([entry(element, 0.5)]);
  await pass(50);
  expect(told).toHaveBeenCalledWith({ read: 1, of: 3 });
  observers[0]!.say([entry(element, 0.4)]);
  await pass(10_000);
  expect(server.calls).toHaveLength(1);
});
