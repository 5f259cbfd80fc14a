/** The group's members: names that are the same at each load, and how they are shown. */

/** Whose phone is on the page. */
export const SENDER = "alice";
export const MEMBERS = 2_000;

const FIRST = (
  "Ada Amir Anna Arun Bela Bruno Carla Chen Dara Dina Elif Emil Enzo Fatou Finn Gita Hana Hugo Ines Ivan Jana Jonas " +
  "Kaya Kofi Lena Liam Lotte Mara Milo Nadia Nils Noor Olga Omar Paula Pia Quinn Rana Rosa Sami Selma Tariq Tess Uma " +
  "Vera Wanda Yara Yuki Zeno Zora"
).split(" ");

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All but the sender, as ids such as `mara-17`. */
export function others() {
  const random = chance(2_000);
  const taken = new Map();
  return Array.from({ length: MEMBERS - 1 }, () => {
    const first = FIRST[Math.floor(random() * FIRST.length)];
    const number = (taken.get(first) ?? 0) + 1;
    taken.set(first, number);
    return `${first.toLowerCase()}-${number}`;
  });
}

/** `Mara 17` for `mara-17`. */
export function nameOf(id) {
  return id.charAt(0).toUpperCase() + id.slice(1).replace("-", " ");
}

/** A round picture of a member: the first letter, on a colour of their own. */
export function avatar(id) {
  const picture = document.createElement("span");
  picture.className = "avatar";
  picture.textContent = id.charAt(0).toUpperCase();
  picture.ariaHidden = "true";
  let hue = 0;
  for (const letter of id) hue = (hue * 31 + letter.charCodeAt(0)) % 360;
  picture.style.setProperty("--hue", String(hue));
  return picture;
}
