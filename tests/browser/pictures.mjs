/** Pictures of the demo for the README: a phone that pulls while a group of 2,000 reads. */
import { join } from "node:path";
import { Demo, OTHERS } from "./demo.mjs";
import { until } from "./wait.mjs";

const DESKTOP = { viewport: { width: 1_280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true };

export const PICTURES = {
  "demo-light": { ...DESKTOP, colorScheme: "light" },
  "demo-dark": { ...DESKTOP, colorScheme: "dark" },
  "demo-phone": { ...PHONE, colorScheme: "light" },
};

/** Makes one of them in the directory: at first nobody reads, then all do, and some six in ten have. */
export async function picture(browser, server, name, dir) {
  const page = await browser.newPage({ ...PICTURES[name], locale: "en-GB", timezoneId: "UTC" });
  const demo = await Demo.open(page, server);
  await demo.choose("behaviour", "nobody");
  const isUnchanged = ({ status }) => status === 304;
  await until("some pulls tell nothing new", () => page.pulls.filter(isUnchanged).length >= 2);
  await demo.choose("behaviour", "once");
  await until("more than half have read", async () => (await demo.count()) > OTHERS / 2);
  const path = join(dir, `${name}.png`);
  await demo.tab.screenshot({ path });
  await page.close();
  return path;
}
