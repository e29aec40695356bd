/**
 * The camera, dreamed live in the viewfinder. The page sends the worker a small frame, and the next one when its
 * dream is back, so that no frame waits. The history has nothing of it; a picture that is taken is what the camera saw.
 */

import { UserError } from "../engine/errors";
import { cameraVideo, onCameraEnd, stopCamera } from "./camera";
import { button, canvas, element, setPressed } from "./elements";
import { showDreamed } from "./live_picture";
import type { NetworkSession } from "./network_session";
import type { PhotoChooser } from "./photo_chooser";
import { sizeInWords } from "./photograph";
import type { LiveFrame, Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { clearError, showError, showStatus, showSteps } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import { straightPixels } from "./transparency";
import type { Workspace } from "./workspace";

const LONGEST = 192; // pixels of a frame that is dreamed, where the network takes so few
const TIMES = 10; // frames that the rate is the mean of

/** A frame that the worker has: as the camera gave it, as it was sent, and the layers of its dream in words. */
interface SentFrame {
  whole: ImageBitmap;
  photo: Pixels;
  label: string;
}

export class LiveCamera {
  private isLive = false;
  /** Counts the ends, so that a frame which is read meanwhile is not sent. */
  private turn = 0;
  private sent: SentFrame | null = null;
  /** The frame whose dream is shown, as the camera gave it. */
  private shown: ImageBitmap | null = null;
  private times: number[] = [];

  /** `interrupt` ends what the worker does. */
  constructor(
    private readonly work: Workspace,
    private readonly form: RecipeForm,
    private readonly session: NetworkSession,
    private readonly runner: TaskRunner,
    private readonly chooser: PhotoChooser,
    private readonly interrupt: () => Promise<void>,
    private readonly onChange: () => void,
  ) {
    onCameraEnd(() => this.close("The camera has ended"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.isLive) this.close("The camera was switched off, because the page was out of sight");
    });
  }

  /** Dreams what the camera sees until it is stopped, or stops; the camera stays on. */
  async toggle(): Promise<void> {
    if (this.isLive) return this.runner.stop();
    this.isLive = true;
    clearError();
    setPressed("live", true);
    try {
      await this.interrupt();
      const first = await this.capture();
      if (!first) return;
      showStatus("Live; Save the dream keeps it, Take the picture the photograph");
      await this.runner.run("live", { kind: "live", first }, ({ picture }) => void this.show(picture));
    } catch (error) {
      showError(error);
    } finally {
      this.end();
    }
  }

  /** The frame that is shown becomes the photograph, in the camera's size. */
  async take(): Promise<void> {
    const { shown, work } = this;
    const before = work.photo;
    await this.chooser.takePicture(shown ?? cameraVideo());
    if (this.isLive) await this.runner.stop();
    if (!shown || !work.photo) return;
    if (work.photo === before) return showStatus("The camera is off");
    showStatus(`The camera's picture, ${sizeInWords(work.photo)}, without the live dream; press Dream for one that you can save`);
  }

  /** Ends the dream and releases the camera. */
  close(reason = "The camera is off"): void {
    if (this.isLive) void this.runner.stop();
    stopCamera();
    showStatus(reason);
    this.onChange();
    if (!element("welcome").hidden) element("camera").focus();
  }

  /** Shows a dream, and sends the worker the next frame. */
  private async show(dreamed: Pixels): Promise<void> {
    const { sent, turn } = this;
    if (!sent || !isOpen()) return;
    const picture = canvas("live-picture");
    showDreamed(picture, sent.whole, sent.photo, dreamed);
    picture.hidden = false;
    button("save-live").disabled = false;
    picture.dataset.frames = String(Number(picture.dataset.frames ?? 0) + 1);
    picture.setAttribute("aria-label", `What the camera sees, dreamed with ${sent.label}`);
    showSteps(`${this.rate()}${dreamed.width} x ${dreamed.height} pixels`);
    this.shown?.close();
    this.shown = sent.whole;
    try {
      const next = await this.capture();
      if (next) this.session.worker.setFrame(next);
    } catch (error) {
      if (turn !== this.turn) return; // live has ended, and what runs is something else
      await this.runner.stop();
      showError(error);
    }
  }

  /** What the camera sees now, in its own size and in that of the dream; null where it is off, or was switched off. */
  private async capture(): Promise<LiveFrame | null> {
    const { turn } = this;
    const { picker } = this.form;
    const whole = await currentFrame();
    if (!whole) return null;
    const [config, label] = [this.form.config(null), picker.label];
    const photo = await smallOf(whole, this.session.minSize(picker.layers));
    if (turn !== this.turn || !isOpen()) {
      whole.close();
      return null;
    }
    this.sent = { whole, photo, label };
    return { photo, config };
  }

  /** Such as `4.2 frames a second, `. */
  private rate(): string {
    this.times = [...this.times.slice(-TIMES), performance.now()];
    const frames = this.times.length - 1;
    if (!frames) return "";
    return `${((1000 * frames) / (this.times[frames] - this.times[0])).toFixed(1)} frames a second, `;
  }

  private end(): void {
    this.isLive = false;
    this.turn++;
    this.times = [];
    if (this.sent?.whole !== this.shown) this.sent?.whole.close();
    this.shown?.close();
    this.sent = this.shown = null;
    const picture = canvas("live-picture");
    picture.hidden = true;
    delete picture.dataset.frames;
    button("save-live").disabled = true;
    setPressed("live", false);
    if (isOpen()) showStatus("Live is off; the camera is on");
    this.onChange();
  }
}

/** Whether the viewfinder is open; while it is, the camera is on. */
function isOpen(): boolean {
  return !element("viewfinder").hidden;
}

/** What the camera sees now; null where it is off. Where the other camera is starting, its first frame. */
async function currentFrame(): Promise<ImageBitmap | null> {
  const video = cameraVideo();
  for (; isOpen(); await new Promise(requestAnimationFrame)) {
    if (video.readyState < video.HAVE_CURRENT_DATA) continue;
    const frame = await createImageBitmap(video).catch(() => null); // there is none where it was switched off meanwhile
    if (frame) return frame;
  }
  return null;
}

/** A frame in the size of its dream. */
async function smallOf(whole: ImageBitmap, least: number): Promise<Pixels> {
  const { height, width } = sizeOf(whole, least);
  const small = await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" });
  const { bytes } = straightPixels(small);
  small.close();
  return { height, width, bytes };
}

/** The size of a dream of frames: small, or the least that the network takes. */
export function sizeOf({ width, height }: { width: number; height: number }, least: number): { width: number; height: number } {
  const shorter = Math.min(width, height);
  if (shorter < least) {
    throw new UserError(
      `the camera gives ${width} x ${height} pixels, and the network needs at least ${least} on each side; ` +
        "choose another layer or another network",
    );
  }
  const scale = Math.min(1, Math.max(LONGEST / Math.max(width, height), least / shorter));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}
