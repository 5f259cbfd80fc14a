/** As much of React Native as the examples use, rendered as HTML. */
import { createElement } from "react";

const listeners = new Set();

export const AppState = {
  currentState: "active",
  addEventListener(_, listener) {
    listeners.add(listener);
    return { remove: () => listeners.delete(listener) };
  },
  change(state) {
    AppState.currentState = state;
    for (const listener of listeners) listener(state);
  },
};

export const Text = ({ children }) => createElement("span", null, children);

let list;

export function FlatList(props) {
  list = props;
  return props.data.map((item, index) =>
    createElement("p", { key: props.keyExtractor(item, index) }, props.renderItem({ item, index })),
  );
}

export function scrollTo(count) {
  const viewableItems = list.data.slice(0, count).map((item, index) => ({ item, key: item, index, isViewable: true }));
  list.onViewableItemsChanged({ viewableItems, changed: [] });
}
