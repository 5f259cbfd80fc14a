// @vitest-environment happy-dom
/** The hooks, mounted as React's strict mode does it: twice. */
import { act, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Conversation } from "../src/index.js";
import { useMarkWhenSeen, useReceipts } from "../src/react.js";
import { UpTo } from "../src/up-to.js";
import { pass, restore, world } from "./world.js";

let root: Root;
let page: HTMLElement;

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  page = document.createElement("main");
});

afterEach(() => {
  vi.unstubAllGlobals();
  restore();
});

const render = (what: ReactNode) => act(async () => root.render(<StrictMode>{what}</StrictMode>));

function begin() {
  const all = world({ marks: UpTo });
  root = createRoot(page);
  return all;
}

interface Shown {
  readonly conversation: Conversation;
  readonly message: string;
  readonly isOnScreen?: boolean;
  readonly rendered?: () => void;
}

function Tick({ conversation, message, isOnScreen, rendered }: Shown) {
  const [receipts, ref] = useReceipts(conversation, message, isOnScreen);
  rendered?.();
  return <p ref={ref}>{receipts ? `${receipts.read}/${receipts.of}` : "-"}</p>;
}

function Text({ conversation, message, isOnScreen, edition }: Shown & { readonly edition?: number }) {
  const ref = useMarkWhenSeen(conversation, message, {
    previous: null,
    ...(isOnScreen !== undefined && { isOnScreen }),
    ...(edition !== undefined && { edition }),
  });
  return <p ref={ref}>{message}</p>;
}

const paragraph = () => page.querySelector("p")!;

test("a message's receipts are shown while its element is on screen, by one pull at a time", async () => {
  const { server, screen, conversation } = begin();
  server.counts.set("m1", { read: 1, of: 3 });
  await render(<Tick conversation={conversation} message="m1" />);
  await act(() => pass(5_000));
  expect([page.textContent, server.calls.length]).toEqual(["-", 0]);
  screen.show(paragraph());
  await act(() => pass(60));
  expect([page.textContent, server.calls.length]).toEqual(["1/3", 1]);
  server.counts.set("m1", { read: 2, of: 3 });
  await act(() => pass(2_000));
  expect([page.textContent, server.calls.length]).toEqual(["2/3", 2]);
});

test("a strict double mount leaves one listener, one element, and nothing after the end", async () => {
  const { server, screen, conversation } = begin();
  server.counts.set("m1", { read: 1, of: 3 });
  await render(<Tick conversation={conversation} message="m1" />);
  const element = paragraph();
  expect(screen.targets.get(element)!.size).toBe(1);
  screen.show(element);
  await act(() => pass(60));
  await act(async () => root.unmount());
  expect(screen.targets.get(element)!.size).toBe(0);
  await pass(60_000);
  expect(server.calls).toHaveLength(1);
});

test("nothing is rendered anew while nothing changes", async () => {
  const { server, screen, conversation } = begin();
  server.counts.set("m1", { read: 1, of: 3 });
  const rendered = vi.fn();
  await render(<Tick conversation={conversation} message="m1" rendered={rendered} />);
  screen.show(paragraph());
  await act(() => pass(60));
  rendered.mockClear();
  await act(() => pass(15_000));
  expect(server.calls.length).toBeGreaterThan(5);
  expect(rendered).not.toHaveBeenCalled();
});

test("another message in the same place is another look", async () => {
  const { server, screen, conversation } = begin();
  server.counts.set("m1", { read: 1, of: 3 }).set("m2", { read: 2, of: 3 });
  await render(<Tick conversation={conversation} message="m1" />);
  screen.show(paragraph());
  await act(() => pass(60));
  await render(<Tick conversation={conversation} message="m2" />);
  expect(page.textContent).toBe("-");
  await act(() => pass(600));
  expect(page.textContent).toBe("2/3");
  expect(server.asked).toEqual([["m1"], ["m2"]]);
});

test("without elements the app says what is on screen", async () => {
  const { server, screen, conversation } = begin();
  server.counts.set("m1", { read: 1, of: 3 });
  const say = (isOnScreen: boolean) => render(<Tick conversation={conversation} message="m1" isOnScreen={isOnScreen} />);
  await say(false);
  // Also where there is one.
  screen.show(paragraph());
  await act(() => pass(5_000));
  expect(server.calls).toEqual([]);
  await say(true);
  await act(() => pass(60));
  expect(page.textContent).toBe("1/3");
  await say(false);
  await act(() => pass(60_000));
  expect(server.calls).toHaveLength(1);
});

test("a server renders nothing of receipts", () => {
  const { conversation } = begin();
  expect(renderToString(<Tick conversation={conversation} message="m1" />)).toBe("<p>-</p>");
});

test("a message is marked once, after half a second on screen, and anew in another edition", async () => {
  const { server, screen, conversation } = begin();
  await render(<Text conversation={conversation} message="m1" />);
  screen.show(paragraph());
  await act(() => pass(499));
  expect(conversation.waiting).toEqual([]);
  await act(() => pass(5_000));
  await render(<Text conversation={conversation} message="m1" />);
  await act(() => pass(5_000));
  expect(server.calls).toHaveLength(1);
  expect(server.calls[0]!.body).toEqual({ reader: "alice", up_to: "m1" });
  await render(<Text conversation={conversation} message="m1" edition={2} />);
  await act(() => pass(5_000));
  expect(server.calls).toHaveLength(2);
});

test("a message that is gone before the half second is not marked", async () => {
  const { server, conversation } = begin();
  await render(<Text conversation={conversation} message="m1" isOnScreen />);
  await act(() => pass(499));
  await act(async () => root.unmount());
  await pass(60_000);
  expect(server.calls).toEqual([]);
});
