/** The speed of a running task. */

import type { StepUpdate } from "./protocol";

const STEPS = 10; // the number of last steps in the mean

export class SpeedMeter {
  /** Such as `116 ms a step, 8.6 frames a second (wasm)`. */
  text = "";
  private durations: number[] = [];

  reset(): void {
    this.durations = [];
  }

  add({ milliseconds }: StepUpdate, backend: string | undefined): void {
    this.durations = [...this.durations.slice(1 - STEPS), milliseconds];
    const mean = this.durations.reduce((sum, each) => sum + each, 0) / this.durations.length;
    const rate = (1000 / mean).toFixed(mean > 100 ? 1 : 0);
    this.text = `${mean.toFixed(0)} ms a step, ${rate} frames a second (${backend})`;
  }
}
