/** What is open: a photograph, and its dreams. */

import { DreamHistory } from "./dream_history";
import type { Photo } from "./photograph";
import type { Pixels } from "./protocol";
import type { Stage } from "./stage";

export class Workspace {
  photo: Photo | null = null;
  /** The file of the photograph; null where it has none. */
  file: File | null = null;
  readonly history = new DreamHistory();
  private shownPicture: Pixels | null = null;

  constructor(readonly stage: Stage) {}

  /** Replaces the photograph, and forgets its dreams. */
  open(photo: Photo, file: File | null): void {
    this.photo = photo;
    this.file = file;
    this.history.clear();
    this.stage.open(photo, photo.alpha, `${this.photoName}, ${photo.width} by ${photo.height} pixels`);
    this.shownPicture = photo;
  }

  close(): void {
    this.photo = this.file = this.shownPicture = null;
    this.history.clear();
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
    this.stage.describe(current ? `Dream ${position} of ${this.photoName}` : this.photoName);
  }

  /** What the photograph is called, in messages. */
  get photoName(): string {
    return this.photo?.name || (this.photo?.isNoise ? "clouds" : "the camera's picture");
  }
}
