/**
 * Philox4x64-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), used as in dreamkit's
 * `rng.words`: the key is `(seed, 0)`, and block `b` has the counter `(b + 1, step, octave, purpose)`. A word of 64 bits
 * is a pair of 32 bits, the low one first, because BigInt is far slower.
 */

const ROUNDS = 10;
const HALVES = 8; // of a block
const HALF = 2 ** 32;
const [FIRST_LOW, FIRST_HIGH] = [0xe14c6c93, 0xd2e7470e]; // multipliers
const [SECOND_LOW, SECOND_HIGH] = [0x95121157, 0xca5a8263];
const BUMPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn] as const;

/** Where in a dream a number is drawn. */
export interface Place {
  octave: number;
  step: number;
  purpose: number;
}

/** The first `count` 64-bit words of one place's stream. */
export function words(seed: bigint, place: Place, count: number): bigint[] {
  const halves = blocks(seed, place, 0, Math.ceil(count / 4));
  return Array.from({ length: count }, (_, i) => (BigInt(halves[2 * i + 1]) << 32n) | BigInt(halves[2 * i]));
}

/** Blocks `first` to `first + count - 1` of one place's stream: 4 words each, as 8 halves. */
export function blocks(seed: bigint, place: Place, first: number, count: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(count * HALVES);
  const keys = roundKeys(seed);
  const counter = [place.step, place.octave, place.purpose].flatMap((number) => [number % HALF, Math.floor(number / HALF)]);
  const product = new Uint32Array(4);
  const other = new Uint32Array(4);
  for (let block = 0; block < count; block++) {
    const start = first + block + 1;
    let [aLow, aHigh, bLow, bHigh] = [start % HALF, Math.floor(start / HALF), counter[0], counter[1]];
    let [cLow, cHigh, dLow, dHigh] = [counter[2], counter[3], counter[4], counter[5]];
    for (let round = 0; round < 4 * ROUNDS; round += 4) {
      multiply(aLow, aHigh, FIRST_LOW, FIRST_HIGH, product);
      multiply(cLow, cHigh, SECOND_LOW, SECOND_HIGH, other);
      aLow = other[2] ^ bLow ^ keys[round];
      aHigh = other[3] ^ bHigh ^ keys[round + 1];
      bLow = other[0];
      bHigh = other[1];
      cLow = product[2] ^ dLow ^ keys[round + 2];
      cHigh = product[3] ^ dHigh ^ keys[round + 3];
      dLow = product[0];
      dHigh = product[1];
    }
    const at = block * HALVES;
    out[at] = aLow;
    out[at + 1] = aHigh;
    out[at + 2] = bLow;
    out[at + 3] = bHigh;
    out[at + 4] = cLow;
    out[at + 5] = cHigh;
    out[at + 6] = dLow;
    out[at + 7] = dHigh;
  }
  return out;
}

/** Both words of the key in each round, as halves. */
function roundKeys(seed: bigint): Uint32Array {
  const keys = new BigUint64Array(2 * ROUNDS);
  for (let round = 0; round < ROUNDS; round++) {
    keys[2 * round] = seed + BigInt(round) * BUMPS[0]; // modulo 2^64
    keys[2 * round + 1] = BigInt(round) * BUMPS[1];
  }
  return new Uint32Array(keys.buffer); // typed arrays are little-endian wherever browsers are
}

/** The 128 bits of a product of two words, the lowest 32 first. */
function multiply(low: number, high: number, byLow: number, byHigh: number, product: Uint32Array): void {
  product[0] = Math.imul(low, byLow);
  let sum = upper(low, byLow) + (Math.imul(low, byHigh) >>> 0) + (Math.imul(high, byLow) >>> 0);
  product[1] = sum;
  sum = Math.floor(sum / HALF) + upper(low, byHigh) + upper(high, byLow) + (Math.imul(high, byHigh) >>> 0);
  product[2] = sum;
  product[3] = Math.floor(sum / HALF) + upper(high, byHigh);
}

/** The upper 32 bits of the product of two numbers of 32 bits. */
function upper(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const rest = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (rest >>> 16);
}
