/** The pictures that the README shows can be made, by `run --screenshots`. One after the other: they show what is at a moment. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { stage } from "./demo.mjs";
import { PICTURES, picture } from "./pictures.mjs";

const set = stage();

for (const name of Object.keys(PICTURES)) {
  test(`the picture '${name}' is made, and is small`, async () => {
    const { size } = statSync(await picture(set.browser, set.server, name, tmpdir()));
    assert.ok(size > 10_000 && size < 200_000, `${size} bytes`);
  });
}
