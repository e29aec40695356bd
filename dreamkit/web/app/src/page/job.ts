/** What a task of the worker gets from it, beside its network. */

import type { Network } from "../engine/network";
import type { Photograph, Size } from "../engine/octave_schemes";
import type { Picture } from "../engine/resize";
import type { LiveFrame, Painted, Pixels, StepUpdate } from "./protocol";

export interface Job {
  network: Network;
  isStopped(): boolean;
  /** Sends the page the picture so far. */
  send(update: StepUpdate): void;
  /** Lets the worker receive messages between steps. */
  receiveMessages(): Promise<void>;
  /** Waits until the page sends something. */
  nextMessage(): Promise<void>;
  /** What is painted, as the page sent it last. */
  painted(): Painted;
  /** The frame of the camera that the page sent last. */
  frame(): LiveFrame | null;
}

/** The update of a task that has no end. */
export function endlessStep(photo: Photograph, milliseconds: number, turn: number, stepsTaken: number): StepUpdate {
  const picture = toPixels(photo, photo.bytes.slice());
  return { picture, milliseconds, stepsTaken, done: 0, octave: 1, octaves: 1, step: turn + 1, steps: 0, objective: 1 };
}

export function asPicture({ height, width, bytes }: Photograph): Picture {
  return { height, width, values: new Float32Array(bytes) };
}

export function toPixels(size: Size, bytes: Uint8ClampedArray): Pixels {
  return { height: size.height, width: size.width, bytes: bytes as Uint8ClampedArray<ArrayBuffer> };
}
