/** Keyboard shortcuts. */

import { button, input } from "./elements";

const RADIUS_STEP = 8; // pixels by which a key changes the brush

/** Listens for keys; `onCompare` is called for the key that compares with the photograph. */
export function listenForShortcuts(onCompare: () => void): void {
  const radius = input("radius");
  const actions: Record<string, () => void> = {
    d: () => button("dream").click(),
    b: () => button("brush").click(),
    z: () => button("zoom").click(),
    u: () => button("undo").click(),
    s: () => button("save").click(),
    o: () => input("file").click(),
    c: onCompare,
    "[": () => (radius.value = String(Number(radius.value) - RADIUS_STEP)),
    "]": () => (radius.value = String(Number(radius.value) + RADIUS_STEP)),
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const isTyping = target.matches("select, textarea, input:not([type=range])");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
