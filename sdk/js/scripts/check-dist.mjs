/** Sees that `dist`, which is committed, is what `src` makes: those who embed it build without npm. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const filesOf = (folder) => Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));

const fresh = mkdtempSync(join(tmpdir(), "seenby-dist-"));
try {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "--outDir", fresh], { stdio: "inherit" });
  const [made, kept] = [filesOf(fresh), filesOf("dist")];
  const differ = Object.keys({ ...made, ...kept }).filter((name) => made[name] !== kept[name]);
  if (differ.length) {
    console.error(`dist is not what the sources make (${differ.join(", ")}): npm run build, and commit it`);
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true });
}
