/** The dreams of a photograph, oldest first, and which of them is shown. */

import type { DreamConfig } from "../engine/config";
import type { Painting } from "./painting";
import type { Provenance } from "./picture_file";
import type { Pixels } from "./protocol";

const CAPACITY = 20; // dreams that undo can return to

/** What the panel needs beside the options to show a recipe. */
export interface Choice {
  /** The name of the network. */
  model: string;
  /** The name of the built-in recipe that the options began with; empty for the page's own. */
  recipe: string;
  /** The layers, as a link writes them. */
  terms: string[];
}

export interface HistoryEntry {
  /** Counts up through the dreams of the photograph. */
  readonly id: number;
  readonly picture: Pixels;
  /** The picture without the share of the photograph; missing where it is not known. */
  readonly unblended?: Pixels;
  /** Null where no recipe can repeat the dream. */
  readonly provenance: Provenance | null;
  /** Where the dream came from. */
  readonly origin: "dream" | "brush" | "zoom" | "large";
  /** The strokes on it. */
  readonly painting: Painting;
  /** The dream that was painted on; null where that is the photograph. */
  readonly under: HistoryEntry | null;
  /** The options of the strokes. */
  readonly config: DreamConfig;
  /** How the panel shows `config`. */
  readonly choice: Choice;
  /** The SHA-256 of the network that dreamed it. */
  readonly network: string;
}

export class DreamHistory {
  entries: readonly HistoryEntry[] = [];
  /** How many of the entries are done; undo makes it smaller. 0 shows the photograph. */
  position = 0;
  savedId = 0;
  private lastId = 0;

  /** The entry that is shown; null for the photograph. */
  get current(): HistoryEntry | null {
    return this.entries[this.position - 1] ?? null;
  }

  get canUndo(): boolean {
    return this.position > 0;
  }

  get canRedo(): boolean {
    return this.position < this.entries.length;
  }

  /** Whether the shown dream would be lost. */
  get isUnsaved(): boolean {
    return this.current !== null && this.current.id !== this.savedId;
  }

  /** An entry that the history does not show, because others lie on it. */
  make(entry: Omit<HistoryEntry, "id">): HistoryEntry {
    return { ...entry, id: ++this.lastId };
  }

  /** Adds an entry after the one that is shown; those that were undone are forgotten. */
  push(entry: Omit<HistoryEntry, "id">): void {
    const kept = [...this.entries.slice(0, this.position), this.make(entry)];
    this.entries = kept.slice(-CAPACITY);
    this.position = this.entries.length;
  }

  /** Changes the entry that is shown. */
  change(changes: Partial<Omit<HistoryEntry, "id">>): void {
    if (changes.picture && this.savedId === this.current?.id) this.savedId = 0;
    this.entries = this.entries.map((each, i) => (i === this.position - 1 ? { ...each, ...changes } : each));
  }

  undo(): void {
    if (this.canUndo) this.position--;
  }

  redo(): void {
    if (this.canRedo) this.position++;
  }

  /** Shows an entry, or with 0 the photograph. */
  goTo(position: number): void {
    this.position = Math.max(0, Math.min(position, this.entries.length));
  }

  /** Goes back to before the first stroke of what is shown. */
  goToUnpainted(): void {
    while (this.current?.painting.length) this.position--;
  }

  /** Forgets the oldest entries, so that `most` are left. */
  keepLatest(most: number): void {
    const extra = Math.max(0, this.entries.length - most);
    this.entries = this.entries.slice(extra);
    this.position = Math.max(0, this.position - extra);
  }

  restore(entries: readonly HistoryEntry[], position: number, savedId: number): void {
    this.entries = entries;
    this.savedId = savedId;
    this.lastId = Math.max(0, ...entries.flatMap(({ id, under }) => [id, under?.id ?? 0]));
    this.goTo(position);
  }

  markSaved(): void {
    this.savedId = this.current?.id ?? 0;
  }
}

/** What an entry was dreamed with, in words. */
export function labelOf({ choice, painting, under }: HistoryEntry): string {
  const strokes = painting.map(({ label }) => label).filter(Boolean); // erasing has none
  const labels = new Set([...(painting.length && !under ? [] : choice.terms), ...strokes]);
  return [...labels].join(" and ").replaceAll("concept ", "");
}
