/**
 * Runs in the page: a chat of elements that scroll, with the SDK on them. `window.chat` is for the tests.
 */
import { createClient } from "seenby";
import { stream } from "seenby/stream";
import { UpTo } from "seenby/up-to";

const list = document.getElementById("chat");
const articles = new Map();
let conversation;

/** What the SDK has told, for comparison with what went over the wire. */
const told = {};
const errors = [];

async function token(user, ttlS, tokens) {
  const answer = await fetch(`/token?user=${user}&ttl_s=${ttlS}&server=${tokens}`);
  return answer.text();
}

window.chat = {
  told,
  errors,

  /** Begins a client, with a token at hand: no request waits for its first one. */
  async begin({ url, id, user, ttlS = 3_600, tokens = "shared", streams = false }) {
    let first = await token(user, ttlS, tokens);
    const provide = () => {
      const at = first ?? token(user, ttlS, tokens);
      first = undefined;
      return at;
    };
    const client = createClient({
      url,
      user,
      token: provide,
      marks: UpTo,
      onError: ({ status, code }) => errors.push({ status, code }),
      ...(streams && { source: stream() }),
    });
    conversation = client.conversation(id);
  },

  /** Adds messages to the chat's end, each so high. */
  add(messages, heightPx) {
    for (const message of messages) {
      const article = document.createElement("article");
      article.textContent = article.id = message;
      article.style.height = `${heightPx}px`;
      articles.set(message, article);
      list.append(article);
    }
  },

  /** Asks for the messages while their elements are on screen. Gives the time. */
  watch(messages) {
    for (const message of messages) {
      conversation.watch(message, (receipts) => (told[message] = receipts), articles.get(message));
    }
    return Date.now();
  },

  /** Marks the messages once they were seen. */
  mark(messages, previous = {}) {
    for (const message of messages) {
      conversation.markWhenSeen(message, articles.get(message), { previous: previous[message] });
    }
  },

  /** The messages whose marks wait to be sent. */
  waiting: () => conversation.waiting,

  /** Brings the message to the upper edge, or the chat to its beginning; done when the SDK has been told of it. */
  scrollTo(message) {
    list.scrollTop = message ? articles.get(message).offsetTop : 0;
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
  },

  /** Scrolls to the end, half a screen a frame. Gives for how long the longest step stood still, in milliseconds. */
  flyToEnd() {
    return new Promise((done) => {
      let longest = 0;
      let last = performance.now();
      const step = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        if (list.scrollTop + list.clientHeight >= list.scrollHeight - 1) return done(longest);
        list.scrollTop += list.clientHeight / 2;
        requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    });
  },
};
