/** The speed of a running task. */

import type { StepUpdate } from "./protocol";

const UPDATES = 10; // the number of last updates in the mean

export class SpeedMeter {
  /** Such as `116 ms a step, 8.6 frames a second (wasm)`. */
  text = "";
  private durations: number[] = [];

  reset(): void {
    this.durations = [];
  }

  add({ milliseconds, stepsTaken }: StepUpdate, backend: string | undefined): void {
    this.durations = [...this.durations.slice(1 - UPDATES), milliseconds];
    const mean = this.durations.reduce((sum, each) => sum + each, 0) / this.durations.length;
    const rate = (1000 / mean).toFixed(mean > 100 ? 1 : 0);
    const what = stepsTaken === 1 ? "step" : `frame of ${stepsTaken} steps`;
    this.text = `${mean.toFixed(0)} ms a ${what}, ${rate} frames a second (${backend})`;
  }
}
