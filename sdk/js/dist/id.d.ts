/** What is an id: of a conversation, a message or a user. Knows what the server takes, and refuses alike. */
import { SeenbyError } from "./error.js";
/** Whether this is an id. What is none is told: one of them would have the server refuse all that is sent with it. */
export declare function isId(id: string, told: (error: SeenbyError) => void): boolean;
