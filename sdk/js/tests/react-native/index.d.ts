/** As much of React Native's types as the examples use, as they stand in its version 0.80. */
import type { ComponentType, ReactElement, ReactNode } from "react";

export type AppStateStatus = "active" | "background" | "inactive" | "unknown" | "extension";

export const AppState: {
  currentState: AppStateStatus;
  addEventListener(type: "change", listener: (state: AppStateStatus) => void): { remove(): void };
  /** Of the stub alone: the app changes its state. */
  change(state: AppStateStatus): void;
};

export const Text: ComponentType<{ children?: ReactNode }>;

export interface ViewToken<ItemT = any> {
  item: ItemT;
  key: string;
  index: number | null;
  isViewable: boolean;
}

export function FlatList<ItemT>(props: {
  data: readonly ItemT[];
  extraData?: unknown;
  keyExtractor?: (item: ItemT, index: number) => string;
  renderItem: (info: { item: ItemT; index: number }) => ReactElement | null;
  onViewableItemsChanged?: (info: { viewableItems: ViewToken<ItemT>[]; changed: ViewToken<ItemT>[] }) => void;
}): ReactElement;

/** Of the stub alone: so many of the list's items are in view. */
export function scrollTo(count: number): void;
