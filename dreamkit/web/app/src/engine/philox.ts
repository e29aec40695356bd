/**
 * Philox4x64-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), used as in dreamkit's
 * `rng.words`: the key is `(seed, 0)`, and block `b` has the counter `(b + 1, step, octave, purpose)`.
 */

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n] as const;
const BUMPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn] as const;
const ROUNDS = 10;

/** Where in a dream a number is drawn. */
export interface Place {
  octave: number;
  step: number;
  purpose: number;
}

/** The first `count` 64-bit words of one place's stream. */
export function words(seed: bigint, place: Place, count: number): bigint[] {
  const drawn: bigint[] = [];
  for (let block = 1n; drawn.length < count; block++) {
    drawn.push(
      ...philox([block, BigInt(place.step), BigInt(place.octave), BigInt(place.purpose)], [seed & MASK, 0n]),
    );
  }
  return drawn.slice(0, count);
}

type Four = [bigint, bigint, bigint, bigint];

function philox(counter: Four, key: [bigint, bigint]): Four {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const first = MULTIPLIERS[0] * a;
    const second = MULTIPLIERS[1] * c;
    [a, b, c, d] = [(second >> 64n) ^ b ^ k, second & MASK, (first >> 64n) ^ d ^ l, first & MASK];
    k = (k + BUMPS[0]) & MASK;
    l = (l + BUMPS[1]) & MASK;
  }
  return [a, b, c, d];
}
