/** Numbers and times, as they are shown. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const hours = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export const count = (number) => whole.format(number);
export const time = (at) => hours.format(at);
export const timeInSeconds = (at) => seconds.format(at);
export const duration = (ms) => `${whole.format(ms / 1_000)} s`;
/** How many times as much, with a decimal where that is a difference. */
export const times = (ratio) => (ratio < 10 ? tenth : whole).format(ratio);

/** `312 B`, `4.2 kB`, `1.3 MB`. */
export function bytes(number) {
  if (number < 1_000) return `${number} B`;
  if (number < 1_000_000) return `${tenth.format(number / 1_000)} kB`;
  return `${tenth.format(number / 1_000_000)} MB`;
}
