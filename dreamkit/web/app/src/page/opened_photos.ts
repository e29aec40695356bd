/** The photographs that were opened, each with its dreams, so that another photograph loses none of them. */

import { DreamHistory, type HistoryEntry } from "./dream_history";
import type { Photo } from "./photograph";

const MOST_PHOTOS = 8;
const MOST_DREAMS = 40; // of all photographs together, when one is opened

/** A photograph with its dreams. */
export class OpenedPhoto {
  readonly history = new DreamHistory();

  constructor(
    readonly id: number,
    public photo: Photo,
    /** The file of the photograph; null where it has none. */
    readonly file: File | null,
    /** The longest side that was selected for it. */
    readonly longestSide: number,
  ) {}

  /** What the photograph is called, in messages. */
  get name(): string {
    return this.photo.name || (this.photo.isNoise ? "clouds" : "the camera's picture");
  }

  /** Whether it is worth a way back: it has dreams, or nothing else brings it back. */
  get isDear(): boolean {
    return this.history.entries.length > 0 || (!this.file && !this.photo.isNoise);
  }
}

/** A photograph and its dreams, as they are now. */
export interface PhotoState {
  id: number;
  photo: Photo;
  file: File | null;
  longestSide: number;
  entries: readonly HistoryEntry[];
  position: number;
  savedId: number;
}

export class OpenedPhotos {
  /** In the order of their last use: the open one is the last. */
  private all: readonly OpenedPhoto[] = [];

  /** The photograph that is open; null where none is. */
  get current(): OpenedPhoto | null {
    return this.all[this.all.length - 1] ?? null;
  }

  /** Those that were open before. */
  get earlier(): readonly OpenedPhoto[] {
    return this.all.slice(0, -1);
  }

  /** Opens a photograph. Of those before, it keeps what is worth it and within the bounds. */
  open(photo: Photo, file: File | null, longestSide: number): void {
    const id = Math.max(0, ...this.all.map((each) => each.id)) + 1;
    this.all = bounded([...this.all, new OpenedPhoto(id, photo, file, longestSide)]);
  }

  /** Goes back to a photograph that was open before. */
  goBack(id: number): void {
    const found = this.all.filter((each) => each.id === id);
    this.all = [...this.all.filter((each) => each.id !== id), ...found];
  }

  clear(): void {
    this.all = [];
  }

  get state(): PhotoState[] {
    return this.all.map(({ id, photo, file, longestSide, history: { entries, position, savedId } }) => {
      return { id, photo, file, longestSide, entries, position, savedId };
    });
  }

  restore(state: readonly PhotoState[]): void {
    this.all = state.map(({ id, photo, file, longestSide, entries, position, savedId }) => {
      const opened = new OpenedPhoto(id, photo, file, longestSide);
      opened.history.restore(entries, position, savedId);
      return opened;
    });
  }
}

/** Forgets photographs that are not worth a way back, and what was not used for the longest time. */
function bounded(all: OpenedPhoto[]): OpenedPhoto[] {
  let room = MOST_DREAMS;
  for (const { history } of [...all].reverse()) {
    history.keepLatest(room);
    room -= history.entries.length;
  }
  const last = all[all.length - 1];
  return all.filter((each) => each.isDear || each === last).slice(-MOST_PHOTOS);
}
