/** The examples of the README, as modules in a folder of their own, where `seenby` is this package. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { transform } from "esbuild";

const PLACEHOLDER = "https://chat.example.com/receipts";

export const readme = readFileSync("README.md", "utf8");

/** Each block of code that has a name behind its language. */
export const examples = Array.from(
  readme.matchAll(/^```(js|tsx) ([\w-]+)\n(.*?)^```$/gms),
  ([, language, name, code]) => ({ language: language!, name: name!, code: code! }),
);

/** Writes them, for a server at `url`: `NAME.js` to run each, and the source of those that have types. */
export async function writeExamples(folder: string, url: string): Promise<{ path(name: string): string; remove(): void }> {
  const root = resolve("tests", `.examples-${folder}`);
  mkdirSync(root, { recursive: true });
  cpSync("tests/react-native", join(root, "node_modules/react-native"), { recursive: true });
  for (const { language, name, code } of examples) {
    const own = code.replaceAll(PLACEHOLDER, url);
    if (language !== "js") writeFileSync(join(root, `${name}.${language}`), own);
    const { code: built } = await transform(own, { loader: language as "js" | "tsx", jsx: "automatic" });
    writeFileSync(join(root, `${name}.js`), built);
  }
  return { path: (name) => join(root, name), remove: () => rmSync(root, { recursive: true }) };
}
