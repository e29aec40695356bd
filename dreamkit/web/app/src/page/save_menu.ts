/** The ways to save a dream: what each gives, and which are possible now. */

import type { Size } from "../engine/octave_schemes";
import { cardSize } from "./card";
import { button, element } from "./elements";
import { filmSize } from "./film_recorder";

const OF_DREAM = ["save", "save-jpeg", "save-card", "send"];

export class SaveMenu {
  private photo: Size | null = null;

  /** Says how large the files of a photograph's dreams are. */
  describe(photo: Size | null): void {
    if (!photo || photo === this.photo) return;
    this.photo = photo;
    const [card, film] = [cardSize(photo), filmSize(photo)];
    const lines = { save: `PNG, ${pixels(photo)}`, "save-jpeg": pixels(photo), "save-card": pixels(card), "save-film": pixels(film) };
    for (const [id, text] of Object.entries({ ...lines, "save-session": pixels(film) })) {
      element(id).querySelector(".size")!.textContent = text;
    }
  }

  /** `isGrown` is whether there is a film of the growth, `isSeveral` whether there are several dreams. */
  enable(isDream: boolean, isGrown: boolean, isSeveral: boolean): void {
    for (const id of OF_DREAM) button(id).disabled = !isDream;
    button("save-film").disabled = !isDream || !isGrown;
    button("save-session").disabled = !isSeveral;
    explain("save-film", isDream && !isGrown ? "only right after a dream or zoom" : "how the newest dream or zoom grew");
    explain("save-session", isDream && !isSeveral ? "as soon as there are two dreams" : "each dream fades into the next");
  }
}

/** Says below the name of a button what it gives, or why it gives nothing now. */
function explain(id: string, text: string): void {
  element(id).querySelector("small")!.textContent = text;
}

function pixels({ width, height }: Size): string {
  return `${width} x ${height}`;
}
