/** A real server, if there is one: a process of its own on a port of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { vi } from "vitest";

const named = process.env.SEENBY_BINARY;
const BINARIES = named ? [named] : ["../../target/release/seenby", "../../target/debug/seenby"];

// What is no setting of a server must not stand in its environment.
const { SEENBY_BINARY: _, ...env } = process.env;

export const binary = BINARIES.find((path) => existsSync(path));
// Who names one wants it tried.
if (named && !binary) throw new Error(`SEENBY_BINARY names ${named}, and there is nothing`);
if (!binary) console.log("Tests with a real server are left out: SEENBY_BINARY names none, and target holds none.");

/** Waits until it is so, on a machine that may have much else to do. */
export const until = (isSo: () => unknown): Promise<unknown> => vi.waitUntil(isSo, { timeout: 25_000 });

/** One server; `stop` ends it, and takes all of it away. */
export class Served {
  #folder = "";
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;
  #key: string | undefined;
  url = "";

  constructor(...flags: string[]) {
    this.#flags = flags;
  }

  async start({ guarded = false } = {}): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), "seenby-js-"));
    const flags = ["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data", join(this.#folder, "data"), ...this.#flags];
    if (guarded) {
      const [key, line] = execFileSync(binary!, ["keys", "new", "chat"], { env, encoding: "utf8" }).split("\n");
      this.#key = key;
      writeFileSync(this.#file("api.keys"), line + "\n");
      writeFileSync(this.#file("tokens.jwks"), '{"keys":[{"kty":"oct","kid":"try","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]}');
      flags.push("--api-keys", this.#file("api.keys"), "--token-keys", this.#file("tokens.jwks"));
    }
    this.#process = spawn(binary!, flags, { env, stdio: ["ignore", "pipe", "inherit"] });
    const exits = once(this.#process, "exit").then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)));
    exits.catch(() => {});
    const [ready] = await Promise.race([once(createInterface(this.#process.stdout!), "line"), exits]);
    this.url = String(ready).replace("seenby listening on ", "");
  }

  async stop(): Promise<void> {
    const ended = once(this.#process!, "exit");
    this.#process!.kill("SIGTERM");
    await ended;
    rmSync(this.#folder, { recursive: true });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  token(user: string): string {
    const flags = ["token", "sign", "--keys", this.#file("tokens.jwks"), "--sub", user];
    return execFileSync(binary!, flags, { env, encoding: "utf8" }).trim();
  }

  /** A call of the chat's back end. */
  async app(method: string, path: string, body?: unknown): Promise<any> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (this.#key) headers.Authorization = `Bearer ${this.#key}`;
    const init: RequestInit = { method, headers };
    if (body) init.body = JSON.stringify(body);
    const answer = await fetch(`${this.url}/v1/${path}`, init);
    if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  /** A conversation of alice, bob and carol, with messages that alice has sent. */
  async register(conversation: string, ...messages: string[]): Promise<void> {
    await this.app("PUT", `conversations/${conversation}/members`, { members: ["alice", "bob", "carol"] });
    for (const message of messages) {
      await this.app("PUT", `conversations/${conversation}/messages/${message}`, { sender: "alice" });
    }
  }

  async mark(conversation: string, reader: string, ...messages: string[]): Promise<void> {
    await this.app("POST", `conversations/${conversation}/marks`, { reader, messages });
  }
}
