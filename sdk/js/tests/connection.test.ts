/** Tokens, and the adapters to where the client runs. */
import { afterEach, expect, test, vi } from "vitest";
import { createClient } from "../src/index.js";
import { json, pass, problem, restore, world } from "./world.js";

afterEach(restore);

/** A provider whose tokens are t1, t2 and so on, and take their time. */
const provider = () => {
  let tokens = 0;
  return vi.fn(async () => {
    const token = `t${(tokens += 1)}`;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return token;
  });
};

const sent = ({ calls }: { calls: { headers: Record<string, string> }[] }) =>
  calls.map(({ headers }) => headers.Authorization);

test("the token is asked for once, and sent with each request", async () => {
  const token = provider();
  const { server, client, conversation } = world({ token });
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  client.conversation("c2").watch("m1", () => {});
  conversation.mark("m2");
  await pass(2_100);
  expect(token).toHaveBeenCalledTimes(1);
  expect(new Set(sent(server))).toEqual(new Set(["Bearer t1"]));
  expect(server.calls).toHaveLength(5);
});

test("a token that is refused is asked for anew, once, and the request goes again", async () => {
  const token = provider();
  const { server, conversation, errors } = world({ token });
  server.counts.set("m1", { read: 1, of: 3 });
  server.answers = (call) =>
    call.headers.Authorization === "Bearer t1" ? problem(401, "unauthenticated") : server.asTheContractHasIt(call);
  const told = vi.fn();
  conversation.watch("m1", told);
  await pass(60);
  expect(sent(server)).toEqual(["Bearer t1", "Bearer t2"]);
  expect(told).toHaveBeenCalledWith({ read: 1, of: 3 });
  expect(errors).toEqual([]);
});

test("a second 401 is an error", async () => {
  const token = provider();
  const { server, conversation, errors } = world({ token });
  server.answers = () => problem(401, "unauthenticated");
  conversation.watch("m1", () => {});
  await pass(60_000);
  expect(sent(server)).toEqual(["Bearer t1", "Bearer t2"]);
  expect(errors).toMatchObject([{ status: 401, code: "unauthenticated" }]);
});

test("a provider that never ends holds up requests for as long as one may take, and is asked anew", async () => {
  const token = vi.fn(() => (token.mock.calls.length === 1 ? new Promise<string>(() => {}) : "t2"));
  const { server, client, errors } = world({ token, timeoutMs: 3_000 });
  client.conversation("c1").mark("m1");
  client.conversation("c2").mark("m1");
  await pass(3_900);
  expect(errors).toEqual([]);
  await pass(300);
  expect(errors).toMatchObject([
    { status: 0, code: "token", message: "no token: timeout" },
    { status: 0, code: "token", message: "no token: timeout" },
  ]);
  await pass(10_000);
  expect(token).toHaveBeenCalledTimes(2);
  expect(sent(server)).toEqual(["Bearer t2", "Bearer t2"]);
});

test("without a provider a 401 is an error at once", async () => {
  const { server, conversation, errors } = world();
  server.answers = () => problem(401, "unauthenticated");
  conversation.watch("m1", () => {});
  await pass(60_000);
  expect(server.calls).toHaveLength(1);
  expect(server.calls[0]!.headers).not.toHaveProperty("Authorization");
  expect(errors).toHaveLength(1);
});

test("several who are refused at once ask for one new token", async () => {
  const token = provider();
  const { server, client, errors } = world({ token });
  server.answers = async (call) => {
    await new Promise((resolve) => setTimeout(resolve, 10 * server.calls.length));
    return call.headers.Authorization === "Bearer t1" ? problem(401, "unauthenticated") : json({ receipts: [], poll: null });
  };
  for (const id of ["c1", "c2", "c3"]) client.conversation(id).watch("m1", () => {});
  await pass(1_000);
  expect(token).toHaveBeenCalledTimes(2);
  expect(sent(server)).toHaveLength(6);
  expect(errors).toEqual([]);
});

test("a provider that fails is an error, and is asked again as a server would be", async () => {
  const token = vi.fn<() => string>(() => {
    throw new Error("the session has ended");
  });
  const { server, conversation, errors } = world({ token });
  conversation.watch("m1", () => {});
  await pass(60);
  expect(errors).toMatchObject([{ status: 0, code: "token", message: "Error: the session has ended" }]);
  token.mockReturnValue("t1");
  await pass(2_000);
  expect(sent(server)).toEqual(["Bearer t1"]);
});

test("what cannot be a token is neither kept nor repeated, and the next one is asked for", async () => {
  const token = vi.fn(() => "<html>\n502 Bad Gateway, secret</html>");
  const { server, conversation, errors } = world({ token });
  server.counts.set("m1", { read: 1, of: 3 });
  conversation.watch("m1", () => {});
  await pass(60);
  expect(server.calls).toEqual([]);
  expect(errors).toMatchObject([{ status: 0, code: "token" }]);
  expect(errors[0]!.message).not.toContain("secret");
  token.mockReturnValue("t1");
  await pass(2_000);
  expect(sent(server)).toEqual(["Bearer t1"]);
});

test("no word on caches is sent: with one, React Native's fetch changes the query", async () => {
  const { server, conversation } = world();
  conversation.watch("m1", () => {});
  await pass(60);
  expect(server.calls[0]!.init).not.toHaveProperty("cache");
});

test("where there is no DOM all is seen that is asked for, and the global fetch is used", async () => {
  vi.useFakeTimers();
  const fetched = vi.fn(async (_: string) => json({ receipts: [{ message: "m1", read: 1, of: 3 }], poll: null }));
  vi.stubGlobal("fetch", fetched);
  const client = createClient({ url: "https://chat.example.com" });
  const told = vi.fn();
  client.conversation("c1").watch("m1", told, "anything");
  await pass(60);
  vi.unstubAllGlobals();
  expect(fetched.mock.calls[0]![0]).toBe("https://chat.example.com/v1/conversations/c1/receipts?message=m1");
  expect(told).toHaveBeenCalledWith({ read: 1, of: 3 });
  await client.close();
});

test("errors that nobody listens for disturb nobody", async () => {
  const { server, conversation } = world({ onError: undefined as never });
  server.answers = () => problem(403, "not-allowed");
  conversation.watch("m1", () => {});
  await pass(60);
  expect(server.calls).toHaveLength(1);
});
