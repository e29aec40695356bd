/** Adam's moments of gradients: Kingma and Ba, "Adam: a method for stochastic optimization" (2014). */

const [BETA_1, BETA_2, EPSILON] = [0.9, 0.999, 1e-8];

export class Adam {
  private readonly first: Float32Array;
  private readonly second: Float32Array;
  private steps = 0;

  constructor(count: number) {
    [this.first, this.second] = [new Float32Array(count), new Float32Array(count)];
  }

  /** Moves `values`, in place, by about `stepSize` each along `gradient`. */
  step(values: Float32Array, gradient: Float32Array, stepSize: number): void {
    const { first, second } = this;
    const { fround } = Math;
    this.steps++;
    const [firstScale, secondScale] = [fround(1 - BETA_1 ** this.steps), fround(1 - BETA_2 ** this.steps)];
    const [keepFirst, keepSecond, size] = [fround(BETA_1), fround(BETA_2), fround(stepSize)];
    const [addFirst, addSecond, epsilon] = [fround(1 - BETA_1), fround(1 - BETA_2), fround(EPSILON)];
    for (let i = 0; i < values.length; i++) {
      const slope = gradient[i];
      first[i] = fround(first[i] * keepFirst) + fround(addFirst * slope);
      second[i] = fround(second[i] * keepSecond) + fround(addSecond * fround(slope * slope));
      const scale = fround(fround(Math.sqrt(fround(second[i] / secondScale))) + epsilon);
      values[i] += fround(fround(fround(first[i] / firstScale) / scale) * size);
    }
  }
}
