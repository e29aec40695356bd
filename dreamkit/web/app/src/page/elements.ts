/** The elements of the page, by id. */

export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found as Kind;
}

export const button = (id: string) => element<HTMLButtonElement>(id);
export const input = (id: string) => element<HTMLInputElement>(id);
export const select = (id: string) => element<HTMLSelectElement>(id);
export const canvas = (id: string) => element<HTMLCanvasElement>(id);

/** Whether a toggle button is pressed. */
export function isPressed(id: string): boolean {
  return element(id).getAttribute("aria-pressed") === "true";
}

export function setPressed(id: string, isPressed: boolean): void {
  element(id).setAttribute("aria-pressed", String(isPressed));
}
