/**
 * A real server in a directory of its own, on a port that it keeps over restarts, and what a chat's back end asks of it.
 *
 * Knows nothing of browsers.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const root = join(import.meta.dirname, "../..");
const binary = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/seenby");

const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** What still runs when a test ends before its time is not left behind. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Server {
  #dir = mkdtempSync(join(tmpdir(), "seenby-browser-"));
  #secret = randomBytes(32);
  #flags;
  #key;
  #child;

  /**
   * Starts a server that pages of `origin` may call, with these further flags; `guarded`: with keys and tokens. Its pace
   * is what it is: on a busy machine it would have clients pull less often.
   */
  static async start(origin, { guarded = true, flags = [] } = {}) {
    const server = new Server();
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    server.#flags = ["--data", join(server.#dir, "data"), "--listen", `127.0.0.1:${server.port}`, ...flags];
    if (!flags.includes("--poll-every")) server.#flags.push("--poll-every-max", "2s");
    if (origin) server.#flags.push("--cors-origin", origin);
    if (guarded) server.#guard();
    await server.begin();
    return server;
  }

  #guard() {
    const [key, line] = execFileSync(binary, ["keys", "new", "chat"], { encoding: "utf8" }).split("\n");
    const [keys, tokens] = [join(this.#dir, "api.keys"), join(this.#dir, "tokens.jwks")];
    writeFileSync(keys, `${line}\n`);
    writeFileSync(tokens, JSON.stringify({ keys: [{ kty: "oct", kid: "try", k: base64url(this.#secret) }] }));
    this.#key = key;
    this.#flags.push("--api-keys", keys, "--token-keys", tokens);
  }

  /** Starts it, or starts it again on what is there; done when it can answer. */
  async begin() {
    const child = spawn(binary, ["serve", ...this.#flags], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    running.add(child.once("exit", () => running.delete(child)));
    let log = "";
    child.stderr.on("data", (text) => (log += text));
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith("seenby listening on ")) return;
    }
    throw new Error(`the server does not start: ${log}`);
  }

  /** Ends the process, by kill -9 if nothing else is said. */
  async kill(signal = "SIGKILL") {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, "exit");
  }

  async end() {
    await this.kill();
    rmSync(this.#dir, { recursive: true });
  }

  /** A token of the user that lasts so long, as a chat's back end signs it. */
  token(user, ttlS = 3_600) {
    const part = (value) => base64url(JSON.stringify(value));
    const exp = Math.floor(Date.now() / 1_000) + ttlS;
    const said = `${part({ alg: "HS256", typ: "JWT", kid: "try" })}.${part({ sub: user, aud: "seenby", exp })}`;
    return `${said}.${base64url(createHmac("sha256", this.#secret).update(said).digest())}`;
  }

  /** One request of the back end, which must succeed. */
  async call(method, path, body) {
    const headers = { "Content-Type": "application/json", ...(this.#key && { Authorization: `Bearer ${this.#key}` }) };
    const answer = await fetch(`${this.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  /** A conversation of these members, in which the first has sent so many messages: their ids, `m1` and so on. */
  async conversation(id, members, count) {
    await this.call("PUT", `conversations/${id}/members`, { members });
    const ids = Array.from({ length: count }, (_, at) => `m${at + 1}`);
    const messages = ids.map((message) => ({ id: message, sender: members[0] }));
    await this.call("POST", `conversations/${id}/messages`, { messages });
    return ids;
  }

  mark(id, reader, ...messages) {
    return this.call("POST", `conversations/${id}/marks`, { reader, messages });
  }

  /** How many have read each message, by its id. */
  async read(id) {
    const { messages } = await this.call("GET", `conversations/${id}/messages?limit=1000`);
    return Object.fromEntries(messages.map(({ message, read }) => [message, read]));
  }
}
