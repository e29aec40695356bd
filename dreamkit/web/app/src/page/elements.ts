/** The page's own elements, by name. */

export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found as Kind;
}

export const button = (id: string) => element<HTMLButtonElement>(id);
export const input = (id: string) => element<HTMLInputElement>(id);
export const select = (id: string) => element<HTMLSelectElement>(id);
export const canvas = (id: string) => element<HTMLCanvasElement>(id);

export function pressed(id: string, is?: boolean): boolean {
  const each = element(id);
  if (is !== undefined) each.setAttribute("aria-pressed", String(is));
  return each.getAttribute("aria-pressed") === "true";
}
