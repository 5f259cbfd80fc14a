/** Who has read a message, and who has not: part by part, so that also 100,000 come without a wait. */
import type { Conversation } from "./conversation.js";
import { isId } from "./id.js";
import type { UsersPart } from "./shapes.js";

export interface ListOptions {
  /** Users in one part: 1 to 1,000; 200 if left out. */
  readonly limit?: number;
}

/** Who has read the message, in the order of their joining the conversation. Each part asks the server as it is asked for. */
export function readers(conversation: Conversation, message: string, options?: ListOptions): AsyncGenerator<UsersPart> {
  return walk(conversation, message, "readers", options);
}

/** Who has not. */
export function nonReaders(conversation: Conversation, message: string, options?: ListOptions): AsyncGenerator<UsersPart> {
  return walk(conversation, message, "unread", options);
}

async function* walk(
  conversation: Conversation,
  message: string,
  half: "readers" | "unread",
  { limit = 200 }: ListOptions = {},
): AsyncGenerator<UsersPart> {
  // What is no id would make a path of another meaning.
  isId(message, (error) => {
    throw error;
  });
  let after = "";
  do {
    const part: UsersPart = await conversation.get(`messages/${encodeURIComponent(message)}/${half}?limit=${limit}${after}`);
    yield part;
    after = part.next === undefined ? "" : "&after=" + encodeURIComponent(part.next);
  } while (after);
}
