/** Finishes the dream that is shown with more pixels, and saves it. */

import { shrunk } from "../engine/resize";
import { wrappedAxes } from "../engine/wrap";
import { fitted } from "../engine/mask_fit";
import { UserError } from "../engine/errors";
import type { HistoryEntry } from "./dream_history";
import { button, select } from "./elements";
import { allowance, atSide, checkMemory, largeConfig, largeSides, withChange } from "./large_plan";
import { blended } from "./live_preview";
import type { NetworkSession } from "./network_session";
import type { PaintedDream } from "./painted_dream";
import { cloudsPhoto, type Photo, readPhoto } from "./photograph";
import type { PictureSaver } from "./picture_saver";
import type { MaskLevels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { clearError, showError, showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import type { Workspace } from "./workspace";

export class LargeFinish {
  /** The photograph whose sizes are offered. */
  private offered: Photo | null = null;

  constructor(
    private readonly work: Workspace,
    private readonly runner: TaskRunner,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
    private readonly painted: PaintedDream,
    private readonly saver: PictureSaver,
  ) {}

  /** Offers the sizes of the photograph that is open. */
  refresh(isReady: boolean): void {
    const { photo } = this.work;
    if (photo && photo !== this.offered) {
      this.offered = photo;
      const sides = largeSides(photo, this.original);
      select("large-size").replaceChildren(...sides.map((side) => this.option(photo, side)));
    }
    const isPossible = isReady && this.work.history.current !== null && select("large-size").options.length > 0;
    button("finish").disabled = select("large-size").disabled = !isPossible;
  }

  /** Dreams the finer octaves of the dream that is shown, and saves the large dream. */
  async finish(): Promise<void> {
    const { photo, history } = this.work;
    const entry = history.current;
    if (!photo || !entry || this.runner.isBusy) return;
    clearError();
    try {
      await this.dream(photo, entry, Number(select("large-size").value));
    } catch (error) {
      showError(error);
    }
  }

  private async dream(photo: Photo, entry: HistoryEntry, side: number): Promise<void> {
    const { provenance, unblended } = entry;
    if (!provenance || !(unblended || entry.config.blend === 0)) {
      throw new UserError("this dream has no recipe, so that no finer octaves can be dreamed; go back to one that has");
    }
    if (provenance.network.sha256 !== this.session.network?.sha256) {
      throw new UserError(`${provenance.network.name} dreamed this; select that network to finish it`);
    }
    checkMemory(photo, side, this.original, allowance((navigator as { deviceMemory?: number }).deviceMemory));
    showStatus(`Finishing with a longest side of ${side} pixels`);
    const { dream } = provenance;
    const { config, masks: drawn } = entry.painting.length ? this.painted.joint(entry) : provenance;
    const from = photo.isNoise ? cloudsPhoto(config, photo.height, photo.width) : photo;
    const large = await this.enlarge(from, side);
    const finer = largeConfig(config, dream.sizes.length, dream.last?.steps ?? 1, photo, large);
    const masks = Object.entries(drawn).map(([name, levels]) => [
      name,
      fitted(levels, [photo.height, photo.width], [large.height, large.width], name) as MaskLevels,
    ]);
    const task = {
      kind: "dream" as const,
      photo: withChange(large, from, unblended ?? entry.picture),
      config: finer,
      masks: Object.fromEntries(masks),
      guide: provenance.guide,
      together: dream.networks ? this.form.together : [],
    };
    const finished = await this.runner.run("finishing", task, ({ picture }) => this.work.stage.show(picture));
    this.work.showCurrent();
    if (!finished?.isWhole) return showStatus("Stopped; nothing was saved");
    const picture = blended(large, finished.picture, entry.config.blend);
    await this.saver.saveLarge({ ...entry, picture, provenance: null, origin: "large" }, large.alpha);
  }

  /** The photograph with the longest side `side`: of its file, where there is one; enlarged, where it has less. */
  private async enlarge(photo: Photo, side: number): Promise<Photo> {
    const { file } = this.work;
    const { wrap } = this.form.config(photo);
    if (file) {
      const upscale = Math.max(1, side / Math.max(photo.original.height, photo.original.width));
      return readPhoto(file, { max_size: side, upscale, wrap });
    }
    const { height, width } = atSide(photo, side);
    const size: [number, number] = [photo.height, photo.width];
    const scale = (levels: MaskLevels, channels: number) =>
      shrunk(levels, size, [height, width], channels, wrappedAxes(wrap)) as MaskLevels;
    return { ...photo, height, width, bytes: scale(photo.bytes, 3), alpha: photo.alpha && scale(photo.alpha, 1) };
  }

  /** The size of the photograph's file; null where it has none. */
  private get original() {
    const { photo, file } = this.work;
    return photo && file ? photo.original : null;
  }

  private option(photo: Photo, side: number): HTMLOptionElement {
    const { height, width } = atSide(this.original ?? photo, side);
    return new Option(`${width} x ${height} pixels`, String(side));
  }
}
