/** Learning a concept from pictures of the user. */

import { learnConcept } from "./concept_learner";
import { input } from "./elements";
import type { LayerPicker } from "./layer_picker";
import type { NetworkSession } from "./network_session";
import { clearError, showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";

export class ConceptForm {
  constructor(
    private readonly session: NetworkSession,
    private readonly runner: TaskRunner,
    private readonly picker: LayerPicker,
  ) {}

  /** Learns a concept, and chooses it. */
  async learn(files: File[]): Promise<void> {
    const { concepts, worker } = this.session;
    if (!concepts || !files.length) return;
    clearError();
    await this.runner.stop();
    showStatus(`Looking at ${files.length} picture${files.length > 1 ? "s" : ""}; they stay on this device`);
    await this.runner.during("learning", async () => {
      const name = this.name();
      const { concept, separation, isDoubtful } = await learnConcept(name, files, concepts, worker);
      const share = separation === null ? "" : `; each stands out from ${(100 * separation).toFixed(0)}% of photographs`;
      this.picker.add(concept);
      showStatus(
        isDoubtful
          ? `Learned ${name}, but the pictures have little in common${share}, and chance is 50%`
          : `Learned ${name}${share}. Press Dream, or brush it on`,
      );
    });
  }

  /** The name that the user wrote, or a new one. */
  private name(): string {
    const given = input("concept-name").value.trim().replace(/[=,\s]+/g, "-") || "mine";
    let name = given;
    for (let number = 2; this.picker.hasConcept(name); number++) name = `${given}-${number}`;
    return name;
  }
}
