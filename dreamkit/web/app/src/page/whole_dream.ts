/** Dreams the recipe of the panel on all of a photograph. */

import type { HistoryEntry } from "./dream_history";
import { blended } from "./live_preview";
import type { Photo } from "./photograph";
import type { Provenance } from "./picture_file";
import type { Pixels, StepUpdate } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showError } from "./status_bar";
import type { Activity, TaskRunner } from "./task_runner";

/** A dream of a recipe, which is not in the history yet. */
export interface Dreamed extends Omit<HistoryEntry, "id"> {
  readonly unblended: Pixels;
  readonly provenance: Provenance;
}

export class WholeDream {
  constructor(
    private readonly runner: TaskRunner,
    private readonly form: RecipeForm,
  ) {}

  /** The dream as the history keeps it, also one that was stopped; null where it failed, or no step was taken. */
  async run(
    activity: Activity,
    photo: Photo,
    { config, choice }: Pick<HistoryEntry, "config" | "choice">,
    onStep: (update: StepUpdate) => void,
  ): Promise<Dreamed | null> {
    const network = this.runner.session.network!;
    let task;
    try {
      // The page blends by itself, so that it can change the blend of a finished dream.
      task = this.form.task(photo, { ...config, blend: 0 });
    } catch (error) {
      showError(error);
      return null;
    }
    const finished = await this.runner.run(activity, task, onStep);
    if (!finished) return null;
    const { picture: unblended, ...dream } = finished;
    const { guide, masks } = task;
    const provenance = { dream, config, network, photo, guide, masks };
    const picture = blended(photo, unblended, config.blend);
    return {
      picture, unblended, provenance, origin: "dream", painting: [], under: null, config, choice, network: network.sha256,
    }; // prettier-ignore
  }
}
