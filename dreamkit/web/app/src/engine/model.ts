/** A network's files: fetched with progress, checked, and put together. */

import { type Description, Network } from "./network";
import type { Numbers } from "./operations";
import { Refused } from "./refused";

const MOST_BYTES = 1 << 30;
export const FORMAT = "dreamkit-program-1";

/** Hears of bytes so far and in all. */
type Progress = (done: number, total: number) => void;

/** Reads a file beside `model.json`, by its plain name. */
type Read = (path: string) => Promise<ArrayBuffer>;

/** Loads the network whose `model.json` lies at `address`. */
export async function load(address: string, progress: Progress = () => {}): Promise<Network> {
  const description = JSON.parse(new TextDecoder().decode(await fetched(address))) as Description;
  const folder = new URL(".", address);
  return assembled(description, (path) => fetched(new URL(path, folder).href), progress);
}

/** The network that `description` and the shards that `read` finds make. */
export async function assembled(description: Description, read: Read, progress: Progress = () => {}): Promise<Network> {
  if (description.format !== FORMAT) {
    throw new Refused(`this model is a ${description.format}, and this page reads ${FORMAT}; export it again`);
  }
  const total = description.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  if (!(total <= MOST_BYTES)) throw new Refused(`this model has ${total} bytes of weights, which is too many`);
  const all = new Uint8Array(total);
  let done = 0;
  progress(0, total);
  for (const shard of description.shards) {
    const bytes = new Uint8Array(await read(shard.path));
    if (bytes.length !== shard.bytes || !(await hasHash(bytes, shard.sha256))) {
      throw new Refused(`${shard.path} is damaged; load the page again, or export the model again`);
    }
    all.set(bytes, done);
    done += bytes.length;
    progress(done, total);
  }
  return new Network(description, numbersOf(description, all));
}

async function fetched(address: string): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch {
    throw new Refused(`${address} cannot be reached; is the server still running?`);
  }
  if (!response.ok) throw new Refused(`${address} cannot be read (${response.status} ${response.statusText})`);
  return response.arrayBuffer();
}

/** Whether it is what was exported. Browsers offer no hashes to pages that came over plain http. */
async function hasHash(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

function numbersOf(description: Description, all: Uint8Array<ArrayBuffer>): Numbers[] {
  let start = 0;
  const numbers = description.weights.map(({ shape, dtype }) => {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = all.slice(start, start + count * (dtype === "float16" ? 2 : 4));
    start += bytes.length;
    const values = dtype === "float16" ? fromHalf(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
    if (values.length !== count) throw new Refused("this model has fewer weights than it says; export it again");
    return { values, shape };
  });
  return numbers;
}

/** IEEE 754 half precision to single. */
function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
    return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
  });
}
