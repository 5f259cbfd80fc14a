/**
 * Hooks for React 18 and newer. Messages are looked at while their elements are on screen; where there are no
 * elements, as in React Native, say so yourself.
 */
import { type RefCallback, useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Conversation, MarkOptions } from "./conversation.js";
import type { Receipts } from "./shapes.js";

/**
 * The message's receipts, and a ref for its element, while which is on screen they are asked for. With `isOnScreen`
 * that is asked in place of the element.
 */
export function useReceipts(
  conversation: Conversation,
  message: string,
  isOnScreen?: boolean,
): [Receipts | undefined, RefCallback<unknown>] {
  const [element, setElement] = useState<unknown>(null);
  const subscribe = useCallback(
    (changed: () => void) => conversation.subscribe(message, changed),
    [conversation, message],
  );
  const read = (): Receipts | undefined => conversation.receipts(message);
  const receipts = useSyncExternalStore(subscribe, read, () => undefined);
  useEffect(() => {
    if (isOnScreen) return conversation.look(message);
    if (isOnScreen === undefined && element) return conversation.look(message, element);
    return undefined;
  }, [conversation, message, element, isOnScreen]);
  return [receipts, setElement];
}

export interface UseMarkOptions extends MarkOptions {
  /** Whether the message is on screen, where there is no element to say so. */
  readonly isOnScreen?: boolean;
}

/** Marks the message once it was really seen; the ref is for its element. */
export function useMarkWhenSeen(
  conversation: Conversation,
  message: string,
  { isOnScreen, previous, edition }: UseMarkOptions = {},
): RefCallback<unknown> {
  const [element, setElement] = useState<unknown>(null);
  useEffect(() => {
    const options = { ...(previous !== undefined && { previous }), ...(edition !== undefined && { edition }) };
    if (isOnScreen) return conversation.markWhenSeen(message, undefined, options);
    if (isOnScreen === undefined && element) return conversation.markWhenSeen(message, element, options);
    return undefined;
  }, [conversation, message, element, isOnScreen, previous, edition]);
  return setElement;
}
