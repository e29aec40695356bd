/**
 * A sheet of nine small dreams of the photograph, as `dreamkit variants` makes it: layers down, strengths across, each
 * with a seed of its own. A click dreams one of them large.
 */

import { type DreamConfig, MOST_STRENGTH } from "../engine/config";
import { shrunk } from "../engine/resize";
import { element } from "./elements";
import type { NetworkSession } from "./network_session";
import { cloudsPhoto, drawScaled, type Photo } from "./photograph";
import type { MaskLevels, Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import type { Workspace } from "./workspace";

const LONGEST = 192; // pixels
const STRENGTHS = { subtle: 0.5, normal: 1, wild: 2 };

interface Variant {
  name: string;
  terms: string[];
  options: Pick<DreamConfig, "strength" | "seed">;
}

export class VariantSheet {
  private readonly dialog = element<HTMLDialogElement>("variants");
  /** Counts the sheets, so that one that was closed ends. */
  private turn = 0;

  constructor(
    private readonly work: Workspace,
    private readonly form: RecipeForm,
    private readonly runner: TaskRunner,
    private readonly session: NetworkSession,
    private readonly dream: () => Promise<void>,
  ) {
    element("close-variants").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.turn++;
      if (this.runner.activity === "trying") void this.runner.stop();
    });
  }

  /** Opens the sheet, and dreams it. */
  async open(): Promise<void> {
    const { photo } = this.work;
    if (!photo || !this.session.network) return;
    const turn = ++this.turn;
    const small = this.shrink(photo);
    const planned = this.plan();
    const tiles = planned.map((variant) => this.tile(variant, small));
    element("variant-tiles").replaceChildren(...tiles);
    this.dialog.showModal();
    showStatus("Nine variants");
    const [count, start] = [planned.length, performance.now()];
    const showCount = (made: number) => (element("variant-count").textContent = `${made} of ${count}`);
    showCount(0);
    for (const [index, variant] of planned.entries()) {
      const task = this.task(variant, small);
      const show = ({ picture }: { picture: Pixels }) => {
        if (turn === this.turn) drawScaled(tiles[index].querySelector("canvas")!, picture);
      };
      const finished = await this.runner.run("trying", task, show, { index, count, start });
      if (turn !== this.turn) return;
      if (finished) show(finished);
      showCount(index + 1);
      tiles[index].dataset.variant = finished ? "dreamed" : "failed";
    }
  }

  private task({ terms, options }: Variant, photo: Photo) {
    const { picker } = this.form;
    const chosen = picker.terms;
    picker.choose(terms); // the picker knows what the terms of concepts are
    try {
      const config = { ...this.form.config(photo), ...options };
      return this.form.task(photo.isNoise ? cloudsPhoto(config, photo.height, photo.width) : photo, config);
    } finally {
      picker.choose(chosen);
    }
  }

  private plan(): Variant[] {
    const { strength, seed } = this.form.config(null);
    const { layers } = this.session.network!;
    const shallow = layers[Math.floor((layers.length - 1) / 4)].name;
    const deep = layers[layers.length - 1].name;
    const rows = [[shallow], this.form.picker.terms, [deep]];
    return rows.flatMap((terms, row) =>
      Object.entries(STRENGTHS).map(([name, factor], column) => ({
        name: `${terms.join(", ").replace("concept ", "")}, ${name}`,
        terms,
        options: {
          strength: Math.min(MOST_STRENGTH, strength * factor),
          seed: String(BigInt(seed) + BigInt(3 * row + column)),
        },
      })),
    );
  }

  private tile({ name, terms, options }: Variant, photo: Pixels): HTMLButtonElement {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    canvas.width = photo.width;
    canvas.height = photo.height;
    drawScaled(canvas, photo);
    button.type = "button";
    button.append(canvas, name);
    button.addEventListener("click", async () => {
      this.turn++;
      this.dialog.close();
      this.form.picker.choose(terms);
      this.form.change(options);
      await this.dream();
    });
    return button;
  }

  /** The photograph, as small as the network takes it. */
  private shrink(photo: Photo): Photo {
    const [most, least] = [Math.max(photo.height, photo.width), Math.min(photo.height, photo.width)];
    const needed = Math.ceil((this.session.minSize(this.form.picker.layers) * most) / least);
    const longest = Math.min(most, Math.max(LONGEST, needed));
    const [height, width] = [photo.height, photo.width].map((side) => Math.round((side * longest) / most));
    const bytes = shrunk(photo.bytes, [photo.height, photo.width], [height, width], 3) as MaskLevels;
    return { ...photo, height, width, bytes };
  }
}
