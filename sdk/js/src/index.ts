/**
 * Read receipts of a chat, from a seenby server: pulled while a message is looked at, marked when one was seen.
 *
 * `client` is the way in. Under it: `conversation` has the calls of one conversation; `screen` decides when to ask,
 * `source` knows how, `marks` gathers what was seen, `connection` sends. `environment` is all there is of the world.
 */
export { Client, createClient, type Options } from "./client.js";
export type { Connection } from "./connection.js";
export { Conversation, type ConversationOptions, type MarkOptions } from "./conversation.js";
export { browser, type Change, type Environment, headless } from "./environment.js";
export { SeenbyError } from "./error.js";
export type { Mark, Marks } from "./marks.js";
export type { Listener, Receipts, UsersPart } from "./shapes.js";
export type { Answer, Ask, Source } from "./source.js";
