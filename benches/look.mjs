// What a look of 20 seconds at one fresh message in a group of 2,000 takes of the sender's connection, in bytes of TCP
// payload: over HTTP/1.1 with and without a token, over h2c, and in a browser on a page of another origin.
//
// Eleven pulls, one after the other without the waits, which change nothing of their size; once with a new reader before
// each, and once with none after the first. A relay between client and server counts.
//
// Usage: node benches/look.mjs [CHROMIUM], with the release build; the browser's part needs playwright-core.

import { spawn } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PULLS = 11;
const binary = `${process.env.CARGO_TARGET_DIR ?? "target"}/release/seenby`;

const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

/** A token of alice for an hour, as a chat's back end signs it. */
function sign(secret) {
  const part = (value) => base64url(JSON.stringify(value));
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const said = `${part({ alg: "HS256", typ: "JWT", kid: "look" })}.${part({ sub: "alice", aud: "seenby", exp })}`;
  return `${said}.${base64url(createHmac("sha256", secret).update(said).digest())}`;
}

/** Starts a server with these further flags; resolves to its address and a way to end it. */
async function serve(data, flags) {
  const child = spawn(binary, ["serve", "--data", data, "--listen", "127.0.0.1:0", "--log", "error", ...flags]);
  child.stderr.pipe(process.stderr);
  for await (const line of createInterface({ input: child.stdout })) {
    const port = Number(line.split(":").pop());
    return { port, end: () => new Promise((done) => child.on("exit", done) && child.kill()) };
  }
  throw new Error("the server does not start");
}

/** Passes connections on to a port, and counts what they carry. */
function relay(port) {
  const counted = { up: 0, down: 0, port: 0 };
  const server = net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    near.on("data", (bytes) => ((counted.up += bytes.length), far.write(bytes)));
    far.on("data", (bytes) => ((counted.down += bytes.length), near.write(bytes)));
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("close", () => other.destroy()).on("error", () => other.destroy());
    }
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => {
    counted.port = server.address().port;
    counted.end = () => server.close();
    done(counted);
  }));
}

/** What the chat's back end does. */
async function call(port, key, method, path, body) {
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
}

const clients = {
  /** HTTP/1.1, over one connection. */
  async http1(port, headers) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const pull = (path, etag) => new Promise((done, fail) => {
      const more = etag ? { "if-none-match": etag } : {};
      // Node would add `Connection: keep-alive`, which HTTP/1.1 need not have.
      const request = http.request({ port, path, agent, headers: { ...headers, ...more } }, (answer) => {
        answer.resume().on("end", () => done({ status: answer.statusCode, etag: answer.headers.etag }));
      });
      request.removeHeader("connection");
      request.on("error", fail).end();
    });
    return { pull, end: async () => agent.destroy() };
  },

  /** HTTP/2 with prior knowledge, over one connection. */
  async h2c(port, headers) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const pull = (path, etag) => new Promise((done, fail) => {
      const more = etag ? { "if-none-match": etag } : {};
      const stream = session.request({ ":path": path, ...headers, ...more });
      let seen;
      stream.on("response", (answer) => (seen = { status: answer[":status"], etag: answer.etag }));
      stream.on("error", fail).on("end", () => done(seen)).resume().end();
    });
    return { pull, end: async () => session.close() };
  },

  /** A page of another origin, in Chromium. */
  async browser(port, headers) {
    const { chromium } = await import("playwright-core");
    const flags = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"];
    const browser = await chromium.launch({ executablePath: process.argv[2], args: flags });
    const page = await browser.newPage();
    await page.goto(origin);
    const pull = (path, etag) => page.evaluate(async ([url, headers, etag]) => {
      const more = etag ? { "If-None-Match": etag } : {};
      // As the SDK does: in its other modes Chromium asks for leave (CORS) before each conditional request.
      const answer = await fetch(url, { headers: { ...headers, ...more }, ...(etag && { cache: "force-cache" }) });
      await answer.arrayBuffer();
      return { status: answer.status, etag: answer.headers.get("etag") ?? etag };
    }, [`http://127.0.0.1:${port}${path}`, headers, etag]);
    return { pull, end: () => browser.close() };
  },
};

/** One look, and what it took. `changes`: somebody reads before each pull. */
async function look(server, key, client, headers, changes, name) {
  await call(server.port, key, "PUT", `/v1/conversations/c/messages/${name}`, { sender: "alice" });
  const counted = await relay(server.port);
  const { pull, end } = await clients[client](counted.port, headers);
  let etag;
  for (let at = 0; at < PULLS; at += 1) {
    if (changes && at > 0) {
      await call(server.port, key, "POST", "/v1/conversations/c/marks", { reader: `u${at}`, messages: [name] });
    }
    const seen = await pull(`/v1/conversations/c/receipts?message=${name}&changed=1`, etag);
    const expected = changes || at === 0 ? 200 : 304;
    if (seen.status !== expected) throw new Error(`${client}: ${seen.status} in place of ${expected}`);
    etag = seen.etag ?? etag;
  }
  await end();
  counted.end();
  return counted;
}

const pages = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<title>look</title>"));
await new Promise((done) => pages.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${pages.address().port}`;
const directory = mkdtempSync(join(tmpdir(), "seenby-looks-"));
const secret = randomBytes(32);
const key = `sb_${base64url(randomBytes(32))}`;
const keys = join(directory, "api.keys");
const tokens = join(directory, "tokens.jwks");
writeFileSync(keys, `look ${createHash("sha256").update(key).digest("hex")}\n`);
writeFileSync(tokens, JSON.stringify({ keys: [{ kty: "oct", kid: "look", k: base64url(secret) }] }));
const open = await serve(join(directory, "open"), ["--cors-origin", origin]);
const guarded = await serve(join(directory, "guarded"), ["--api-keys", keys, "--token-keys", tokens, "--cors-origin", origin]);
const bearer = { authorization: `Bearer ${sign(secret)}` };

const looks = [
  ["HTTP/1.1", open, undefined, "http1", {}],
  ["HTTP/1.1, token", guarded, key, "http1", bearer],
  ["h2c", open, undefined, "h2c", {}],
  ["h2c, token", guarded, key, "h2c", bearer],
];
if (process.argv[2]) {
  looks.push(["browser, another origin", open, undefined, "browser", {}]);
  looks.push(["browser, another origin, token", guarded, key, "browser", bearer]);
}
try {
  const members = ["alice", ...Array.from({ length: 1999 }, (_, at) => `u${at}`)];
  for (const [server, by] of [[open, undefined], [guarded, key]]) {
    await call(server.port, by, "PUT", "/v1/conversations/c/members", { members });
  }
  console.log(`bytes up and down of ${PULLS} pulls`.padEnd(34), "changed each time".padStart(22), "unchanged".padStart(22));
  for (const [at, [what, server, by, client, headers]] of looks.entries()) {
    const cells = [];
    for (const changes of [true, false]) {
      const { up, down } = await look(server, by, client, headers, changes, `m${2 * at + Number(changes)}`);
      cells.push(`${up} + ${down} = ${up + down}`.padStart(22));
    }
    console.log(what.padEnd(34), ...cells);
  }
} finally {
  await Promise.all([open.end(), guarded.end()]);
  pages.close();
  rmSync(directory, { recursive: true });
}
