/** The dreams since the photograph was opened, newest last. */

import type { SavableDream } from "./picture_file";

const CAPACITY = 20; // dreams that undo can return to

export class DreamHistory {
  private readonly dreams: SavableDream[] = [];
  private saved: SavableDream | null = null;

  get length(): number {
    return this.dreams.length;
  }

  get last(): SavableDream | undefined {
    return this.dreams[this.dreams.length - 1];
  }

  /** Whether the last dream would be lost. */
  get isUnsaved(): boolean {
    return this.last !== undefined && this.last !== this.saved;
  }

  push(dream: SavableDream): void {
    this.dreams.push(dream);
    if (this.dreams.length > CAPACITY) this.dreams.shift();
  }

  undo(): void {
    this.dreams.pop();
  }

  clear(): void {
    this.dreams.length = 0;
  }

  markSaved(dream: SavableDream): void {
    this.saved = dream;
  }
}
