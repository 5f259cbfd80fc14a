/** Makes the README's pictures of the demo anew: `node screenshots.mjs DIR`. */
import { statSync } from "node:fs";
import { launch } from "./browser.mjs";
import { PICTURES, picture } from "./pictures.mjs";
import { Server } from "./server.mjs";

const server = await Server.start(undefined, { guarded: false, flags: ["--demo"] });
const browser = await launch();
for (const name of Object.keys(PICTURES)) {
  const path = await picture(browser, server, name, process.argv[2]);
  console.log(`${path}: ${statSync(path).size} bytes`);
}
await browser.end();
await server.end();
