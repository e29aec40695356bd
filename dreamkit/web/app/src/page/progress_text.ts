/** How far a task is, in words. */

import type { StepUpdate } from "./protocol";

/**
 * The share that is done and the time that is left, and in `detail` the octave, the step and `speed`; of a task without an
 * end, the speed alone, also in `detail`. `milliseconds` is what the task took so far.
 */
export function progressText(update: StepUpdate, speed: string, milliseconds: number): { text: string; detail: string } {
  const { steps, step, octave, octaves, done } = update;
  if (!steps) return { text: "", detail: speed };
  const detail = `octave ${octave} of ${octaves}, step ${step} of ${steps}, ${speed}`;
  return { text: `${Math.floor(100 * done)}%${remaining(done, milliseconds)}`, detail };
}

/** How long a task takes from here; work is proportional to `done`. */
function remaining(done: number, milliseconds: number): string {
  if (!done) return "";
  const seconds = Math.round((milliseconds / 1000) * (1 / done - 1));
  return seconds < 90 ? `, about ${seconds} s left` : `, about ${Math.round(seconds / 60)} min left`;
}
