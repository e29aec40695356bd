/** Several photographs: the first one opens, and the others wait. */

import type { Dreamer } from "./dreamer";
import { button, element } from "./elements";
import type { PhotoChooser } from "./photo_chooser";
import type { PictureSaver } from "./picture_saver";
import { showStatus } from "./status_bar";
import type { Workspace } from "./workspace";

export class PhotoQueue {
  private waiting: File[] = [];

  constructor(
    private readonly chooser: PhotoChooser,
    private readonly work: Workspace,
    private readonly dreamer: Dreamer,
    private readonly saver: PictureSaver,
  ) {}

  /** Opens the first of the files; the others wait in place of those that waited. */
  async open([first, ...others]: File[]): Promise<void> {
    if (!first || !(await this.chooser.openFile(first))) return;
    this.waiting = others;
    this.show();
  }

  /** Opens the next photograph. */
  async next(): Promise<void> {
    const [file] = this.waiting;
    if (!file || !(await this.chooser.openFile(file))) return;
    this.waiting.shift();
    this.show();
  }

  /** Dreams and saves this photograph and those that wait. A dream that is stopped ends it. */
  async dreamAll(): Promise<void> {
    for (let count = 1; ; count++) {
      const { file } = this.work;
      await this.dreamer.dream();
      const { current } = this.work.history;
      if (file !== this.work.file || !current?.provenance?.dream.isWhole) return;
      await this.saver.savePng();
      if (!this.waiting.length) return showStatus(`Dreamed and saved ${count} photographs`);
      await this.next();
      if (file === this.work.file) return; // the next one cannot be opened
    }
  }

  /** `isReady` is whether the next photograph can be opened now. */
  refresh(isReady: boolean): void {
    for (const id of ["next", "dream-all"]) button(id).disabled = !isReady;
  }

  clear(): void {
    this.waiting = [];
    this.show();
  }

  private show(): void {
    const count = this.waiting.length;
    element("queue").hidden = !count;
    element("waiting").textContent = count === 1 ? "1 photograph waits" : `${count} photographs wait`;
  }
}
