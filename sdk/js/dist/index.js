/**
 * Read receipts of a chat, from a seenby server: pulled while a message is looked at, marked when one was seen.
 *
 * `client` is the way in. Under it: `conversation` has the calls of one conversation; `screen` decides when to ask,
 * `source` knows how, `marks` gathers what was seen, `connection` sends. `environment` is all there is of the world.
 */
export { Client, createClient } from "./client.js";
export { Conversation } from "./conversation.js";
export { browser, headless } from "./environment.js";
export { SeenbyError } from "./error.js";
