/** What is open: a photograph, and its dreams. */

import { DreamHistory, labelOf } from "./dream_history";
import { type OpenedPhoto, OpenedPhotos, type PhotoState } from "./opened_photos";
import { type Photo, sizeInWords } from "./photograph";
import type { Pixels } from "./protocol";
import type { Stage } from "./stage";

export class Workspace {
  private readonly opened = new OpenedPhotos();
  private readonly none = new DreamHistory();
  private shownPicture: Pixels | null = null;

  constructor(readonly stage: Stage) {}

  get photo(): Photo | null {
    return this.opened.current?.photo ?? null;
  }

  /** The file of the photograph; null where it has none. */
  get file(): File | null {
    return this.opened.current?.file ?? null;
  }

  /** The longest side that was selected for the photograph. */
  get longestSide(): number {
    return this.opened.current?.longestSide ?? 0;
  }

  /** The dreams of the photograph. */
  get history(): DreamHistory {
    return this.opened.current?.history ?? this.none;
  }

  /** The photographs that were open before, with their dreams; the latest is the last. */
  get earlier(): readonly OpenedPhoto[] {
    return this.opened.earlier;
  }

  /** All photographs with their dreams. */
  get state(): PhotoState[] {
    return this.opened.state;
  }

  /** Whether the dream that is shown, or was shown of an earlier photograph, is not saved. */
  get isUnsaved(): boolean {
    return this.history.isUnsaved || this.earlier.some(({ history }) => history.isUnsaved);
  }

  /** Opens another photograph, in the size that was selected. */
  open(photo: Photo, file: File | null, longestSide: number): void {
    this.opened.open(photo, file, longestSide);
    this.showOpened();
  }

  /** Goes back to a photograph that was open before, and to its dreams. */
  goBack(id: number): void {
    this.opened.goBack(id);
    this.showOpened();
  }

  /** Takes other clouds as the photograph. */
  replaceClouds(clouds: Photo): void {
    if (this.opened.current) this.opened.current.photo = clouds;
  }

  restore(state: readonly PhotoState[]): void {
    this.opened.restore(state);
    this.showOpened();
  }

  /** Forgets all photographs and their dreams. */
  close(): void {
    this.shownPicture = null;
    this.opened.clear();
    this.stage.close();
  }

  /** The picture on the stage; there must be one. */
  get shown(): Pixels {
    return this.shownPicture!;
  }

  /** Shows a picture: a step of a dream, or a whole one. */
  show(picture: Pixels): void {
    this.shownPicture = picture;
    this.stage.show(picture);
  }

  /** Shows how the picture would look, which it does not become. */
  showLook(picture: Pixels): void {
    this.stage.show(picture);
  }

  /** Shows the current dream, or the photograph where there is none. */
  showCurrent(): void {
    const { current, position } = this.history;
    if (!this.photo) return;
    this.show(current?.picture ?? this.photo);
    this.stage.describe(current ? `Dream ${position} of ${this.photoName}: ${labelOf(current)}` : this.photoName);
  }

  /** What the photograph is called, in messages. */
  get photoName(): string {
    return this.opened.current?.name ?? "";
  }

  private showOpened(): void {
    const { photo } = this;
    if (!photo) return;
    this.stage.open(photo, photo.alpha, `${this.photoName}, ${sizeInWords(photo, "by")}`);
    this.shownPicture = photo;
    if (this.history.current) this.showCurrent();
  }
}
