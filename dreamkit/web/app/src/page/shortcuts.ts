/** Keyboard shortcuts. */

import { button, input } from "./elements";

const RADIUS_STEP = 8; // pixels by which a key changes the brush

export interface ShortcutActions {
  compare(): void;
  escape(): void;
}

/** Listens for keys. Single letters can be switched off, because speech input may type them by mistake. */
export function listenForShortcuts({ compare, escape }: ShortcutActions): void {
  const click = (id: string) => () => button(id).click();
  const radius = input("radius");
  const resizeBrush = (change: number) => {
    radius.value = String(Number(radius.value) + change);
    radius.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const letters: Record<string, () => void> = {
    d: click("dream"),
    b: click("brush"),
    z: click("zoom"),
    n: click("dice"),
    v: click("try"),
    f: click("fullscreen"),
    "+": click("closer"),
    "-": click("further"),
    u: click("undo"),
    r: click("redo"),
    s: click("save"),
    o: () => input("file").click(),
    c: compare,
    "[": () => resizeBrush(-RADIUS_STEP),
    "]": () => resizeBrush(RADIUS_STEP),
  };
  document.addEventListener("keydown", (event) => {
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    action();
  });

  function actionOf(event: KeyboardEvent): (() => void) | undefined {
    const target = event.target as HTMLElement;
    const key = event.key.toLowerCase();
    if (document.querySelector("dialog[open]")) return undefined; // which closes by itself
    const isTyping = target.matches("select, textarea, input:not([type=range], [type=checkbox])");
    if (key === "escape") return escape;
    if (isTyping || event.altKey) return undefined;
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") return click(event.shiftKey ? "redo" : "undo");
      return key === "y" ? click("redo") : undefined;
    }
    return input("letter-keys").checked ? letters[key] : undefined;
  }
}
