/**
 * The pages of a chat of another origin than the server's: the SDK's modules as they are published, and tokens of its users.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import { extname, join } from "node:path";
import { root } from "./server.mjs";

const sdk = join(root, "sdk/js");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };

/** The names under which the package is imported, each with its file, as its own description has them. */
function imports() {
  const { name, exports } = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8"));
  const modules = Object.entries(exports).filter(([, file]) => file.default);
  return Object.fromEntries(modules.map(([path, file]) => [name + path.slice(1), file.default.replace("./", "/sdk/")]));
}

/** A page with this in its body, on which the package can be imported. */
const page = (body) => `<!doctype html>
<html lang="en">
<title>A chat</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>
  body { margin: 0 }
  #chat { height: 500px; overflow-y: auto; overflow-anchor: none }
  article { box-sizing: border-box; border-bottom: 1px solid }
</style>
<script type="importmap">${JSON.stringify({ imports: imports() })}</script>
${body}
</html>`;

const CHAT = '<script type="module" src="/chat.mjs"></script><div id="chat"></div>';

/**
 * Serves the pages. A request for a token names user, lifetime and which of `servers` it is for, which is counted. `more` is
 * what else there is, by its path: the bodies of further pages, and texts.
 */
export async function pages() {
  const served = { asked: {}, servers: {}, more: { bodies: {}, texts: {} } };
  const listener = http.createServer((request, answer) => {
    const { pathname, searchParams } = new URL(request.url, "http://page");
    const said = (type, body) => answer.writeHead(200, { "Content-Type": type }).end(body);
    if (pathname === "/") return said("text/html", page(CHAT));
    if (pathname === "/empty") return said("text/html", "<!doctype html><title>Elsewhere</title><link rel=icon href=data:,>");
    if (pathname === "/chat.mjs") return said("text/javascript", readFileSync(join(import.meta.dirname, "chat.mjs")));
    if (pathname === "/token") {
      const name = searchParams.get("server");
      served.asked[name] = (served.asked[name] ?? 0) + 1;
      const token = served.servers[name].token(searchParams.get("user"), Number(searchParams.get("ttl_s")));
      return said("text/plain", token);
    }
    const { bodies, texts } = served.more;
    if (pathname in bodies) return said("text/html", page(bodies[pathname]));
    if (pathname in texts) return said("text/plain", texts[pathname]());
    const module = /^\/sdk\/(dist\/[a-z-]+\.js)$/.exec(pathname)?.[1];
    if (module) return said(TYPES[extname(module)], readFileSync(join(sdk, module)));
    answer.writeHead(404).end();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  served.origin = `http://127.0.0.1:${listener.address().port}`;
  served.end = () => {
    listener.closeAllConnections();
    listener.close();
  };
  return served;
}
