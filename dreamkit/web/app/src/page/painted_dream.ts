/** The painting that is shown: its strokes, what they lie on, and the dreams of the history that they make. */

import type { DreamConfig } from "../engine/config";
import { toTables } from "../engine/terms";
import type { Choice, HistoryEntry } from "./dream_history";
import { blended } from "./live_preview";
import { jointRecipe, type Painting } from "./painting";
import { cloudsPhoto, type Photo } from "./photograph";
import type { Provenance } from "./picture_file";
import type { DreamTask, Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import type { TaskRunner } from "./task_runner";
import type { Workspace } from "./workspace";

export class PaintedDream {
  constructor(
    private readonly work: Workspace,
    private readonly runner: TaskRunner,
    private readonly form: RecipeForm,
  ) {}

  /** Whether there are strokes that can be dreamed again. */
  get hasStrokes(): boolean {
    return this.painting.length > 0;
  }

  /** A task that dreams nearly what the strokes are with other options; null where there are no strokes. */
  task(config: DreamConfig): DreamTask | null {
    const { current } = this.work.history;
    if (!current || !this.hasStrokes) return null;
    const { under, painting } = current;
    const joint = jointRecipe(config, this.hasLookUnder ? this.tablesOf(config) : null, painting);
    return { kind: "dream", photo: this.blendedWith({ under, config }), ...joint };
  }

  /**
   * Whether the look of the panel is dreamed under the strokes: where they lie on a dream that a recipe repeats, or on the
   * photograph when another look was chosen.
   */
  get hasLookUnder(): boolean {
    const { current } = this.work.history;
    return current?.under ? this.isRepeatable(current.under) : this.hasOtherLook;
  }

  /** Whether the panel has another look than the picture that is shown. */
  private get hasOtherLook(): boolean {
    const { current } = this.work.history;
    const { recipe, terms } = this.form.choice(this.runner.session.name);
    return current !== null && (recipe !== current.choice.recipe || terms.join() !== current.choice.terms.join());
  }

  /** The recipe of all strokes at once, which dreams nearly what they are. */
  joint({ config, under, painting }: HistoryEntry) {
    const everywhere = under && this.isRepeatable(under) ? this.tablesOf(under.provenance!.config) : null;
    return jointRecipe(config, everywhere, painting);
  }

  /** Adds a painting on what the current one is on to the history, and shows it. */
  push(unblended: Pixels, painting: Painting): void {
    const { configured, unpainted } = this;
    const choice = configured ? (unpainted ?? configured).choice : this.form.choice(this.runner.session.name);
    this.work.history.push(this.entryOf(unblended, painting, unpainted, this.currentConfig(), choice));
    this.work.showCurrent();
  }

  /** A dream of the history. */
  entryOf(unblended: Pixels, painting: Painting, under: HistoryEntry | null, config: DreamConfig, choice: Choice) {
    const network = this.runner.session.network!;
    const picture = blended(this.blendedWith({ under, config }), unblended, config.blend);
    const provenance = !under || this.isRepeatable(under) ? this.provenance(unblended, painting, under, config) : null;
    return { picture, unblended, provenance, origin: "brush" as const, painting, under, config, choice, network: network.sha256 };
  }

  private provenance(
    { height, width }: Pixels,
    painting: Painting,
    under: HistoryEntry | null,
    config: DreamConfig,
  ): Provenance {
    const { blend } = config;
    if (under) return { ...under.provenance!, config: { ...under.provenance!.config, blend }, strokes: painting };
    const sizes: [number, number][] = [[height, width]];
    const dream = { terms: {}, sizes, tileSize: config.tile_size, isWhole: true, last: null };
    return { dream, config, network: this.runner.session.network!, photo: this.work.photo!, masks: {}, strokes: painting, isPhotoPainted: true };
  }

  /** The strokes that others are added to. Those of another network are part of the picture. */
  get painting(): Painting {
    const { current } = this.work.history;
    return current && this.isOfThisNetwork(current) ? current.painting : [];
  }

  private isOfThisNetwork({ network }: HistoryEntry): boolean {
    return network === this.runner.session.network?.sha256;
  }

  /** The options of the dream that the strokes are part of. */
  private currentConfig(): DreamConfig {
    const { photo } = this.work;
    if (this.configured) return this.configured.config;
    const config = this.form.config(photo);
    return photo?.seed === undefined ? config : { ...config, seed: photo.seed };
  }

  /** The dream whose options the painting has; null where it has those of the panel. */
  private get configured(): HistoryEntry | null {
    const { current } = this.work.history;
    return this.painting.length || (current?.provenance && this.isOfThisNetwork(current)) ? current : null;
  }

  /** The dream that the strokes are on; null where that is the photograph. */
  private get unpainted(): HistoryEntry | null {
    const { current } = this.work.history;
    return this.painting.length ? current!.under : current;
  }

  /** What the next stroke is painted on: what is shown, without the share of the photograph. */
  get ground(): Pixels {
    const { current } = this.work.history;
    if (this.painting.length) return current!.unblended ?? current!.picture;
    return this.groundOf({ under: current, config: this.currentConfig() });
  }

  /** What lies under all strokes. */
  groundOf({ under, config }: Pick<HistoryEntry, "under" | "config">): Pixels {
    if (under && this.isRepeatable(under)) return under.unblended ?? under.picture;
    return this.blendedWith({ under, config });
  }

  /** A picture of strokes as it is shown, with the share of the photograph. */
  shownAs(picture: Pixels): Pixels {
    const config = this.currentConfig();
    return blended(this.blendedWith({ under: this.unpainted, config }), picture, config.blend);
  }

  /** The photograph whose share is mixed in; a picture that no recipe repeats stands for it. */
  blendedWith({ under, config }: Pick<HistoryEntry, "under" | "config">): Pixels {
    return under && !this.isRepeatable(under) ? under.picture : this.photoOf(config);
  }

  /** The photograph that a look is dreamed on. */
  photoOf(config: DreamConfig): Photo {
    const photo = this.work.photo!;
    return photo.isNoise ? cloudsPhoto(config, photo.height, photo.width) : photo;
  }

  /** Whether a recipe repeats a dream that was painted on. */
  isRepeatable({ provenance, painting, network }: HistoryEntry): boolean {
    if (!provenance || painting.length || network !== this.runner.session.network?.sha256) return false;
    return provenance.dream.isWhole && !provenance.dream.networks;
  }

  private tablesOf({ layers }: DreamConfig) {
    return toTables(layers, this.runner.session.network!.layers);
  }
}
