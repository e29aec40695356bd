/** The status line, the steps of what runs, the error below it, and the progress bar. */

import { UserError } from "../engine/errors";
import { element } from "./elements";

/** Shows what happened; `detail` stands below it in smaller letters, where there is room. */
export function showStatus(text: string, detail = ""): void {
  showLines("status", text, detail);
}

/** Shows how far the task that runs is; screen readers do not read it out. */
export function showSteps(text: string, detail = ""): void {
  showLines("steps", text, detail);
}

function showLines(id: string, text: string, detail: string): void {
  const small = document.createElement("small");
  small.textContent = detail;
  element(id).replaceChildren(text, ...(detail ? [small] : []));
}

/** Shows an error; one that is a bug also goes to the console. */
export function showError(error: unknown): void {
  const notice = element("notice");
  const message = error instanceof Error ? error.message : String(error);
  notice.textContent = message.charAt(0).toUpperCase() + message.slice(1);
  notice.hidden = false;
  if (!(error instanceof UserError)) console.error(error);
}

export function clearError(): void {
  element("notice").hidden = true;
}

/** `share` is 0 to 1; 0 hides the bar. */
export function showProgress(share: number): void {
  element("progress").classList.toggle("absent", share === 0);
  element("bar").style.setProperty("width", `${100 * share}%`);
  element("progress").setAttribute("aria-valuenow", String(Math.round(100 * share)));
}
