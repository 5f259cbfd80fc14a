/** Who has read a message, and who has not: part by part, so that also 100,000 come without a wait. */
import type { Conversation } from "./conversation.js";
import type { UsersPart } from "./shapes.js";
export interface ListOptions {
    /** Users in one part: 1 to 1,000; 200 if left out. */
    readonly limit?: number;
}
/** Who has read the message, in the order of their joining the conversation. Each part asks the server as it is asked for. */
export declare function readers(conversation: Conversation, message: string, options?: ListOptions): AsyncGenerator<UsersPart>;
/** Who has not. */
export declare function nonReaders(conversation: Conversation, message: string, options?: ListOptions): AsyncGenerator<UsersPart>;
