/**
 * Hooks for React 18 and newer. Messages are looked at while their elements are on screen; where there are no
 * elements, as in React Native, say so yourself.
 */
import { type RefCallback } from "react";
import type { Conversation, MarkOptions } from "./conversation.js";
import type { Receipts } from "./shapes.js";
/**
 * The message's receipts, and a ref for its element, while which is on screen they are asked for. With `isOnScreen`
 * that is asked in place of the element.
 */
export declare function useReceipts(conversation: Conversation, message: string, isOnScreen?: boolean): [Receipts | undefined, RefCallback<unknown>];
export interface UseMarkOptions extends MarkOptions {
    /** Whether the message is on screen, where there is no element to say so. */
    readonly isOnScreen?: boolean;
}
/** Marks the message once it was really seen; the ref is for its element. */
export declare function useMarkWhenSeen(conversation: Conversation, message: string, { isOnScreen, previous, edition }?: UseMarkOptions): RefCallback<unknown>;
