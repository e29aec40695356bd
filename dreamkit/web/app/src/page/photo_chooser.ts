/** Opens photographs: files, the camera and clouds. */

import { startCamera, stopCamera, turnCamera } from "./camera";
import { UserError } from "../engine/errors";
import { button } from "./elements";
import { readClipboard } from "./file_input";
import { cameraPhoto, cloudsPhoto, type Photo, readPhoto, sizeInWords } from "./photograph";
import type { RecipeForm } from "./recipe_form";
import { sampleFile } from "./samples";
import { clearError, showError, showStatus } from "./status_bar";
import type { Workspace } from "./workspace";

const LEAST_SIDE = 32; // pixels that the shorter side of a panorama is not shrunk below

export class PhotoChooser {
  /** Whether a photograph is being opened. */
  isOpening = false;

  /** `stop` stops the task that runs. `onChange` is called when a photograph begins to open, and at the end. */
  constructor(
    private readonly work: Workspace,
    private readonly form: RecipeForm,
    /** The shortest side that the network takes. */
    private readonly minSize: () => number,
    private readonly stop: () => Promise<void>,
    private readonly onChange: () => void,
  ) {}

  /** Opens one of the page's own photographs. */
  async openSample(name: string): Promise<void> {
    const file = await sampleFile(name).catch(showError);
    if (file) await this.openFile(file);
  }

  /** Returns whether the file is the photograph now. */
  async openFile(file: File): Promise<boolean> {
    await this.readFile(file);
    return this.work.file === file;
  }

  /** Opens the picture in the clipboard. */
  async paste(): Promise<void> {
    clearError();
    const file = await readClipboard().catch(showError);
    if (file) await this.openFile(file);
  }

  /** Switches to the other camera. */
  async turnCamera(): Promise<void> {
    clearError();
    await turnCamera().catch((error) => {
      stopCamera();
      showError(error);
    });
  }

  async openClouds(): Promise<void> {
    const side = this.form.longestSide;
    await this.open(() => cloudsPhoto(this.form.config(null), side, side), null);
  }

  async openCamera(): Promise<void> {
    clearError();
    await startCamera().then(() => button("shoot").focus(), showError);
  }

  /** Opens what the camera sees, or a frame of it, and releases the camera. */
  async takePicture(source: HTMLVideoElement | ImageBitmap): Promise<void> {
    await this.open(() => cameraPhoto(source, this.form.config(null)), null);
    stopCamera();
  }

  /** Reads the photograph again at the selected size. */
  async resize(): Promise<void> {
    const { photo, file } = this.work;
    if (!photo) return;
    if (file) await this.readFile(file);
    else if (photo.isNoise) await this.openClouds();
    else showStatus("A picture of the camera keeps its size; take another for this one");
  }

  private async readFile(file: File): Promise<void> {
    await this.open(async () => {
      const photo = await readPhoto(file, this.form.config(null));
      const most = Math.max(photo.original.height, photo.original.width);
      const least = Math.min(photo.original.height, photo.original.width);
      const taken = this.minSize();
      const needed = Math.max(taken, Math.min(least, LEAST_SIDE));
      if (least < taken) {
        throw new UserError(
          `${file.name} has ${photo.original.width} x ${photo.original.height} pixels, and the network needs at ` +
            `least ${taken} on each side; choose a larger picture or another network`,
        );
      }
      if (Math.min(photo.height, photo.width) >= needed) return photo;
      // A panorama needs more pixels along its longer side.
      this.form.longestSide = Math.min(most, Math.ceil((needed * most) / least));
      return readPhoto(file, this.form.config(null));
    }, file);
  }

  /** Opens another photograph; the current one stays where the new one cannot be read. */
  private async open(read: () => Promise<Photo> | Photo, file: File | null): Promise<void> {
    clearError();
    const side = this.form.longestSide;
    this.isOpening = true;
    this.onChange();
    try {
      const photo = await read();
      await this.stop();
      this.work.open(photo, file, this.form.longestSide);
      stopCamera(); // which may be on while a file is dropped
      const before = this.work.earlier.length ? "; the small pictures lead back" : "";
      const resized = side === this.form.longestSide ? "" : "; its shorter side needs this longest side";
      showStatus(`${this.work.photoName}, ${sizeInWords(photo)}${resized}${before}`);
    } catch (error) {
      this.form.longestSide = side;
      showError(error);
    } finally {
      this.isOpening = false;
      this.onChange();
    }
  }
}
