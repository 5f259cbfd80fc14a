/** The package as it is published: what is in it, and how large it is. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { readme } from "./examples.js";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));

/** The core must not be larger, in bytes: 4 KiB. */
const CORE_BYTES_MAX = 4_096;

/** How large a module that has all of these entries is, bundled and minified. */
async function bytes(...entries: string[]): Promise<number> {
  const contents = entries.map((entry) => `export * from "./dist/${entry}.js";`).join("\n");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: "." },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["react"],
    write: false,
  });
  return execFileSync("gzip", ["-9", "-n", "-c"], { input: outputFiles[0]!.contents }).length;
}

test("the core is 4 KiB at the most, and the README says how large each entry is", async () => {
  const core = await bytes("index");
  console.log(`core: ${core} bytes`);
  expect(core).toBeLessThanOrEqual(CORE_BYTES_MAX);
  const rows = [`| \`seenby\` | at most ${CORE_BYTES_MAX} |`];
  for (const entry of ["stream", "chats", "lists", "up-to", "keep", "react"]) {
    const more = (await bytes("index", entry)) - core;
    console.log(`${entry}: and ${more} bytes`);
    rows.push(`| \`seenby/${entry}\` | and ${Math.ceil(more / 100) * 100} |`);
  }
  expect(readme.match(/^\| `seenby.*$/gm)).toEqual(rows);
});

test("the package holds what is built, README, LICENSE and its manifest, and nothing else", () => {
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { encoding: "utf8" }));
  const expected = [...readdirSync("dist").map((name) => `dist/${name}`), "LICENSE", "README.md", "package.json"];
  expect(packed.files.map(({ path }: { path: string }) => path).sort()).toEqual(expected.sort());
});

test("it has no dependency at run time, and its licence is the project's", () => {
  expect(manifest.dependencies).toBeUndefined();
  expect(Object.keys(manifest.peerDependencies)).toEqual(["react"]);
  expect(manifest.peerDependenciesMeta.react.optional).toBe(true);
  expect(readFileSync("LICENSE", "utf8")).toBe(readFileSync("../../LICENSE", "utf8"));
});

test("the lock file pins each package by its content, and names no place to download it from", () => {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  for (const [path, entry] of Object.entries<{ integrity?: string; resolved?: string }>(packages)) {
    if (path) expect([path, typeof entry.integrity, entry.resolved]).toEqual([path, "string", undefined]);
  }
});
