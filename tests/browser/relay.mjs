/**
 * A relay between a browser and a server: notes each request as it arrives, and may be slow, or answer in the server's place.
 *
 * For what the real server does not do by itself. Passes bodies on as they come, so streams work.
 */
import { once } from "node:events";
import http from "node:http";

/** What a server says to a page of another origin, for an answer in its place. */
const corsOf = (request) => ({
  "Access-Control-Allow-Origin": request.headers.origin ?? "*",
  "Access-Control-Expose-Headers": "ETag, Retry-After",
});

/**
 * Begins a relay to the server. `requests` is what came: method, path, when, and `closed` once it is over.
 *
 * `instead`, where it is set, is asked before a request is passed on, preflights aside: a promise is waited for; what it
 * gives is the answer (`status`, `headers`, `body`), or nothing, to pass the request on.
 */
export async function relay(server) {
  const agent = new http.Agent({ keepAlive: true });
  const relayed = { requests: [], instead: undefined };
  const listener = http.createServer(async (near, answer) => {
    const noted = { method: near.method, path: near.url, at: performance.now(), closed: undefined };
    relayed.requests.push(noted);
    answer.on("close", () => (noted.closed = performance.now()));
    const instead = near.method !== "OPTIONS" && (await relayed.instead?.(noted));
    if (instead) {
      answer.writeHead(instead.status, { ...corsOf(near), ...instead.headers }).end(instead.body);
      return;
    }
    const { method, url: path, headers } = near;
    const far = http.request({ port: server.port, agent, method, path, headers }, (said) => {
      answer.writeHead(said.statusCode, said.rawHeaders);
      said.pipe(answer).on("error", () => {});
    });
    far.on("error", () => answer.destroy());
    answer.on("close", () => far.destroy());
    near.pipe(far);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  relayed.url = `http://127.0.0.1:${listener.address().port}`;
  relayed.end = () => {
    agent.destroy();
    listener.closeAllConnections();
    listener.close();
  };
  return relayed;
}
