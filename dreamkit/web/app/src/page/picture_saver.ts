/** Saves and shares the dream that is shown: as a picture with its recipe, a card, or a film of its growth. */

import { drawCard } from "./card";
import { type HistoryEntry, labelOf } from "./dream_history";
import { button, canvas } from "./elements";
import type { GrowthFilm } from "./growth_film";
import type { Photo } from "./photograph";
import { encodeJpeg, encodePng } from "./picture_file";
import type { MaskLevels } from "./protocol";
import { recordSession } from "./session_film";
import { showError, showProgress, showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import { straightPixels } from "./transparency";
import type { Workspace } from "./workspace";

const QUALITY = 0.92; // of a card's JPEG

export class PictureSaver {
  /** How often a name was used. */
  private readonly saved = new Map<string, number>();

  /** `dreamkit` is the version that exported the page. */
  constructor(
    private readonly work: Workspace,
    private readonly runner: TaskRunner,
    private readonly film: GrowthFilm,
    private readonly dreamkit: string,
    private readonly onChange: () => void,
  ) {
    const probe = new File([], "dream.jpg", { type: "image/jpeg" });
    button("send").hidden = !navigator.canShare?.({ files: [probe] });
  }

  async savePng(): Promise<void> {
    const { entry, photo } = this;
    if (!entry || !photo) return;
    this.saveDream(entry, await encodePng(entry, photo.alpha, this.dreamkit), "png");
  }

  /** Saves a dream that was finished with more pixels; the history does not have it. */
  async saveLarge(entry: HistoryEntry, alpha: MaskLevels | null): Promise<void> {
    const { height, width } = entry.picture;
    const name = this.download(await encodePng(entry, alpha, this.dreamkit), "large.png");
    showStatus(`Saved ${name}, ${width} x ${height} pixels; no recipe repeats it, but Save keeps that of the small dream`);
  }

  /** Saves the live dream as the viewfinder shows it. */
  async saveLive(): Promise<void> {
    const bitmap = await createImageBitmap(canvas("live-picture"));
    const { height, width } = bitmap;
    const picture = { height, width, bytes: straightPixels(bitmap).bytes };
    bitmap.close();
    const png = await encodePng({ picture, provenance: null, origin: "live" }, null, this.dreamkit);
    showStatus(`Saved ${this.download(png, "live.png", "camera")}, ${width} x ${height} pixels; no recipe repeats it`);
  }

  async saveJpeg(): Promise<void> {
    const { entry } = this;
    if (entry) this.saveDream(entry, await encodeJpeg(entry, this.dreamkit), "jpg");
  }

  /** Saves the photograph and the dream on one picture. */
  async saveCard(): Promise<void> {
    const { entry, photo } = this;
    if (!entry || !photo) return;
    const card = await this.card(photo, entry);
    showStatus(`Saved ${this.download(card, "card.jpg")}, the photograph with its dream`);
  }

  async saveFilm(): Promise<void> {
    const { entry } = this;
    if (!entry || !this.film.isOf(entry)) return;
    showStatus("Recording the film as it plays");
    await this.runner.during("recording", async () => {
      const film = await this.film.record(entry.picture, showProgress);
      showStatus(`Saved ${this.downloadFilm(film, "growth")}, the growth of the dream`);
    });
  }

  /** Saves a film of the photograph and its dreams. */
  async saveSession(): Promise<void> {
    const { photo, work } = this;
    if (!photo || this.runner.isBusy) return;
    const pictures = [photo, ...work.history.entries.map(({ picture }) => picture)];
    showStatus("Recording the film as it plays");
    await this.runner.during("recording", async () => {
      const film = await recordSession(pictures, showProgress);
      showStatus(`Saved ${this.downloadFilm(film, "session")}, the photograph and ${pictures.length - 1} dreams`);
    });
  }

  /** Opens the share sheet of the device with the dream as a JPEG. */
  async share(): Promise<void> {
    const { entry } = this;
    if (!entry) return;
    const jpeg = await encodeJpeg(entry, this.dreamkit);
    const file = new File([jpeg], `${this.stem}.dream.jpg`, { type: "image/jpeg" });
    try {
      await navigator.share({ files: [file], title: file.name });
      this.markSaved(entry);
    } catch (error) {
      if ((error as Error).name !== "AbortError") showError(error); // the user closed the sheet
    }
  }

  /** The dream that is shown; null where it cannot be saved now. */
  private get entry(): HistoryEntry | null {
    return this.runner.isBusy ? null : this.work.history.current;
  }

  private get photo(): Photo | null {
    return this.work.photo;
  }

  private get stem(): string {
    const { photo } = this;
    return (photo?.name || (photo?.isNoise ? "clouds" : "camera")).replace(/\.[^.]*$/, "");
  }

  private async card(photo: Photo, entry: HistoryEntry): Promise<Blob> {
    return drawCard(photo, entry.picture, `dreamkit: ${labelOf(entry)}`).convertToBlob({ type: "image/jpeg", quality: QUALITY });
  }

  private saveDream(entry: HistoryEntry, data: Blob, extension: string): void {
    const name = this.download(data, `dream.${extension}`);
    showStatus(
      entry.provenance
        ? `Saved ${name} with its recipe; on a computer, run dreamkit redo FILE to repeat it`
        : `Saved ${name} without a recipe, because no recipe can repeat this dream of ${this.work.photoName}`,
    );
    this.markSaved(entry);
  }

  private markSaved(entry: HistoryEntry): void {
    if (entry === this.work.history.current) this.work.history.markSaved();
    this.onChange();
  }

  private downloadFilm(film: Blob, kind: string): string {
    return this.download(film, film.type === "video/mp4" ? `${kind}.mp4` : `${kind}.webm`);
  }

  /** Downloads a file under a new name, and returns the name. */
  private download(data: Blob, ending: string, stem = this.stem): string {
    const [kind, extension] = ending.split(".");
    const whole = `${stem}.${ending}`;
    const count = (this.saved.get(whole) ?? 0) + 1;
    this.saved.set(whole, count);
    const name = `${stem}.${kind}${count > 1 ? `-${count}` : ""}.${extension}`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(data);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    return name;
  }
}
