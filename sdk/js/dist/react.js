/**
 * Hooks for React 18 and newer. Messages are looked at while their elements are on screen; where there are no
 * elements, as in React Native, say so yourself.
 */
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
/**
 * The message's receipts, and a ref for its element, while which is on screen they are asked for. With `isOnScreen`
 * that is asked in place of the element.
 */
export function useReceipts(conversation, message, isOnScreen) {
    const [element, setElement] = useState(null);
    const subscribe = useCallback((changed) => conversation.subscribe(message, changed), [conversation, message]);
    const read = () => conversation.receipts(message);
    const receipts = useSyncExternalStore(subscribe, read, () => undefined);
    useEffect(() => {
        if (isOnScreen)
            return conversation.look(message);
        if (isOnScreen === undefined && element)
            return conversation.look(message, element);
        return undefined;
    }, [conversation, message, element, isOnScreen]);
    return [receipts, setElement];
}
/** Marks the message once it was really seen; the ref is for its element. */
export function useMarkWhenSeen(conversation, message, { isOnScreen, previous, edition } = {}) {
    const [element, setElement] = useState(null);
    useEffect(() => {
        const options = { ...(previous !== undefined && { previous }), ...(edition !== undefined && { edition }) };
        if (isOnScreen)
            return conversation.markWhenSeen(message, undefined, options);
        if (isOnScreen === undefined && element)
            return conversation.markWhenSeen(message, element, options);
        return undefined;
    }, [conversation, message, element, isOnScreen, previous, edition]);
    return setElement;
}
