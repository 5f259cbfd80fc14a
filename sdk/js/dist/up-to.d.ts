/** What the user still has to read: how much, and marks that say "up to". Costs nothing where it is not imported. */
import type { Conversation } from "./conversation.js";
import { SeenbyError } from "./error.js";
import { type Mark, Marks, type Post } from "./marks.js";
import type { Refused } from "./shapes.js";
/** What the user still has to read. */
export interface Badge {
    readonly unread: number;
    /** The first of it; nothing, if all is read. */
    readonly firstUnread: string | undefined;
}
/** What the user of the client still has to read in the conversation. */
export declare function badge(conversation: Conversation): Promise<Badge>;
/** Marks all up to and including the message, seen or not. The client must have been made with `marks: UpTo`. */
export declare function markUpTo({ marks }: Conversation, message: string): void;
/** Marks of which an unbroken run is sent as "up to" its last: for `Options.marks`. */
export declare class UpTo extends Marks {
    #private;
    constructor(post: Post, failed: (error: SeenbyError) => void, lost: (message: string) => void);
    /** All before this message is read: the server says so. Nothing, if all is. */
    readUntil(firstUnread: string | undefined): void;
    addUpTo(message: string): void;
    /** A mark of a message up to which all is to be marked means that as well. */
    add(mark: Mark): void;
    protected batches(marks: readonly Mark[]): Mark[][];
    protected ask(marks: Mark[], keepalive: boolean): Promise<readonly Refused[]>;
}
