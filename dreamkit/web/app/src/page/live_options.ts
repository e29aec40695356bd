/**
 * Sliders that change the dream that is shown, painted or not. The share of the photograph changes it at once. The strength
 * and the colours show at once how it will nearly look; when the slider rests, they are dreamed.
 */

import type { DreamConfig } from "../engine/config";
import { LIVE } from "./controls";
import type { HistoryEntry } from "./dream_history";
import type { Dreamer } from "./dreamer";
import { tuned, tuningTo } from "./live_preview";
import { cloudsPhoto } from "./photograph";
import type { Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import type { Workspace } from "./workspace";

const DREAMED = ["strength", "color"]; // options that need another dream

export class LiveOptions {
  /** Counts the changes, so that what is out of date ends. */
  private turn = 0;
  /** The turn whose dream runs; 0 where none does. */
  private settling = 0;
  private clouds: { entry: HistoryEntry; pixels: Pixels } | null = null;

  /** `network` is the SHA-256 of the network that is open. */
  constructor(
    private readonly work: Workspace,
    private readonly form: RecipeForm,
    private readonly runner: TaskRunner,
    private readonly dreamer: Dreamer,
    private readonly network: () => string | undefined,
    private readonly onChange: () => void,
  ) {}

  /** Whether an option changes the dream that is shown. */
  follows(option: string): boolean {
    return this.find(option) !== null;
  }

  /** A slider moves. */
  preview(option: string): void {
    const found = this.find(option);
    if (!found) return;
    this.turn++;
    void this.stop();
    this.work.showLook(this.look(found.entry, found.unblended));
  }

  /** A slider rests, or a number was written. */
  async settle(option: string): Promise<void> {
    const found = this.find(option);
    if (!found) return;
    const { entry, unblended } = found;
    const turn = ++this.turn;
    const now = this.form.config(this.work.photo);
    if (DREAMED.every((name) => now[name] === entry.config[name])) {
      if (now.blend !== entry.config.blend) this.blend(found, now.blend);
      this.work.showCurrent();
      return this.onChange();
    }
    this.work.showLook(this.look(entry, unblended));
    showStatus("A preview; the dream itself follows");
    await this.stop();
    if (turn !== this.turn) return;
    this.settling = turn;
    const isKept = await this.dreamer.dreamUnseen();
    if (this.settling === turn) this.settling = 0;
    if (isKept || turn !== this.turn || this.runner.isBusy) return; // a stroke may have interrupted it
    this.work.showCurrent();
    showStatus("The picture is as before");
  }

  /** Mixes another share of the photograph into the dream. */
  private blend({ entry, unblended }: { entry: HistoryEntry; unblended: Pixels }, blend: number): void {
    const picture = this.look(entry, unblended);
    const provenance = { ...entry.provenance!, config: { ...entry.provenance!.config, blend } };
    this.work.history.change({ picture, unblended, provenance, config: { ...entry.config, blend } });
    showStatus(`${Math.round(100 * blend)}% of the photograph`);
  }

  /** Stops the dream of an earlier change. */
  async stop(): Promise<void> {
    const { settling } = this;
    if (!settling) return;
    await this.runner.stop();
    if (this.settling === settling) this.settling = 0;
  }

  /** The dream that is shown, where an option can change it. */
  private find(option: string): { entry: HistoryEntry; unblended: Pixels } | null {
    const { photo, history } = this.work;
    const entry = history.current;
    if (!LIVE.includes(option) || !photo || !entry?.provenance) return null;
    if (entry.network !== this.network() || (this.runner.isBusy && !this.settling)) return null;
    const unblended = entry.unblended ?? (entry.config.blend === 0 ? entry.picture : null);
    return unblended && isSame(this.form.config(photo), entry.config, LIVE) ? { entry, unblended } : null;
  }

  private look(entry: HistoryEntry, unblended: Pixels): Pixels {
    return tuned(this.photoOf(entry), unblended, tuningTo(entry.config, this.form.config(this.work.photo)));
  }

  /** The photograph of a dream; that of clouds depends on its seed. */
  private photoOf(entry: HistoryEntry): Pixels {
    const photo = this.work.photo!;
    if (!photo.isNoise) return photo;
    if (this.clouds?.entry !== entry) {
      this.clouds = { entry, pixels: cloudsPhoto(entry.config, photo.height, photo.width) };
    }
    return this.clouds.pixels;
  }
}

/** Whether two configs have the same options, but for `ignored` ones. */
export function isSame(one: DreamConfig, other: DreamConfig, ignored: string[]): boolean {
  const names = Object.keys(one).filter((name) => !ignored.includes(name));
  return names.every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]));
}
