/** Previews what *Dream* would dream with the options and the layers of the panel. */

import type { DreamConfig } from "../engine/config";
import { InstantPreview } from "./instant_preview";
import { isSame, type LiveOptions } from "./live_options";
import type { NetworkSession } from "./network_session";
import type { Painter } from "./painter";
import { cloudsPhoto, type Photo } from "./photograph";
import type { DreamTask } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showStatus } from "./status_bar";
import type { Workspace } from "./workspace";

export class RecipePreview {
  private readonly instant: InstantPreview;
  private photo: Photo | null = null; // that the recipe is known for
  /** The recipe, as text, that the last change led to, or that the photograph was opened with. */
  private known = "";

  /** `isPossible` is whether the stage has room for a preview now. */
  constructor(
    private readonly work: Workspace,
    private readonly form: RecipeForm,
    private readonly session: NetworkSession,
    private readonly painter: Painter,
    private readonly live: LiveOptions,
    private readonly isPossible: () => boolean,
    private readonly onChange: () => void,
  ) {
    this.instant = new InstantPreview(onChange);
  }

  /** Whether a preview is on the stage. */
  get isShown(): boolean {
    return this.instant.isShown;
  }

  /** Whether the worker computes a preview. */
  get isBusy(): boolean {
    return this.instant.isBusy;
  }

  /** Ends a preview that has no place on the stage any more. */
  refresh(): void {
    const { photo } = this.work;
    if (!this.isPossible()) this.end();
    if (photo !== this.photo) this.known = JSON.stringify(this.form.config(photo));
    this.photo = photo;
  }

  /** Ends the preview. Returns whether one was shown. */
  end(): boolean {
    return this.instant.end();
  }

  /** Ends the preview, and says what is shown instead. */
  leave(): void {
    this.end();
    const shown = this.work.history.current ? "dream" : "photograph";
    showStatus(`Back to the ${shown}; the options stay as you chose them`);
    this.onChange();
  }

  /**
   * Previews the recipe where it changed, unless it is that of the dream that is shown. With `isChosen`, the user asked
   * for it, changed or not.
   */
  async follow(isChosen = false): Promise<void> {
    await this.live.stop();
    const { photo } = this.work;
    const { network, worker } = this.session;
    if (!photo || !network || !this.isPossible()) return;
    const config = this.form.config(photo);
    const recipe = JSON.stringify(config);
    const isKnown = recipe === this.known; // such as where a field loses the focus
    this.known = recipe;
    if (isKnown && !isChosen) return;
    if (this.isDreamed(config)) return this.isShown ? this.leave() : void this.end();
    // WebGL compiles its programs anew for each size, and Dream would wait for them.
    if (network.backend.startsWith("webgl")) return showStatus("Press Dream to see it");
    const minSize = ({ layers }: DreamConfig) => this.session.minSize(Array.isArray(layers) ? layers : []);
    this.instant.show({ config, task: () => this.task(photo, config), alpha: photo.alpha, minSize, worker });
  }

  /** Whether a config is that of the dream that is shown. */
  private isDreamed(config: DreamConfig): boolean {
    const { current } = this.work.history;
    if (current?.network !== this.session.network?.sha256) return false;
    return isSame(config, current!.config, []);
  }

  private task(photo: Photo, config: DreamConfig): DreamTask {
    const strokes = this.painter.painted.task(config);
    if (strokes) return strokes;
    const isAnother = photo.isNoise && photo.seed !== config.seed;
    return this.form.task(isAnother ? cloudsPhoto(config, photo.height, photo.width) : photo, config);
  }
}
