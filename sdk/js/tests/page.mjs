/** A page to run an example in, with all of it on screen. Says its HTML when that changes. */
import { Window } from "happy-dom";

const window = new Window({ url: "https://chat.example.com/" });
const { document, localStorage } = window;
document.body.innerHTML = process.env.PAGE;

class IntersectionObserver {
  constructor(told) {
    this.told = told;
  }

  observe(target) {
    queueMicrotask(() => this.told([{ target, isIntersecting: true, intersectionRatio: 1, intersectionRect: {}, rootBounds: null }]));
  }

  disconnect() {}
}

const { fetch } = globalThis;
Object.assign(globalThis, {
  window,
  document,
  localStorage,
  IntersectionObserver,
  fetch: async (url, init) => (url === "/receipts-token" ? new Response(process.env.TOKEN) : fetch(url, init)),
});

new window.MutationObserver(() => console.log(document.body.innerHTML)).observe(document.body, {
  subtree: true,
  attributes: true,
});
