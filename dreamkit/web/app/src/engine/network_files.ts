/** Reads the files of a network, and checks them: dreamkit's `web/network_files.py` writes them. */

import { UserError } from "./errors";
import { Network, type NetworkDescription } from "./network";
import { fromHalf } from "./numbers";
import type { Constant } from "./operations";

const MAX_BYTES = 1 << 30;
export const FORMAT = "dreamkit-program-1";

/** Called with the bytes that are loaded, and their total. */
type OnProgress = (done: number, total: number) => void;

/** Reads a file beside `model.json`, given its name. */
type ReadFile = (path: string) => Promise<ArrayBuffer>;

/**
 * Loads the network whose `model.json` lies at `address`.
 *
 * Throws a `UserError` where a file cannot be read or is damaged.
 */
export async function loadNetwork(address: string, onProgress: OnProgress = () => {}): Promise<Network> {
  const description = JSON.parse(new TextDecoder().decode(await fetchBytes(address))) as NetworkDescription;
  const folder = new URL(".", address);
  return buildNetwork(description, (path) => fetchBytes(new URL(path, folder).href), onProgress);
}

/**
 * Builds a network from its description and the shards that `read` returns.
 *
 * Throws a `UserError` where a shard is damaged, or this page cannot read the format.
 */
export async function buildNetwork(
  description: NetworkDescription,
  read: ReadFile,
  onProgress: OnProgress = () => {},
): Promise<Network> {
  if (description.format !== FORMAT) {
    throw new UserError(`the model's format is ${description.format}; this page reads ${FORMAT}; export it again`);
  }
  const total = description.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  if (!(total <= MAX_BYTES)) {
    throw new UserError(`the model has ${total} bytes of weights; a page can load ${MAX_BYTES}; export fewer layers`);
  }
  const all = new Uint8Array(total);
  let done = 0;
  onProgress(0, total);
  for (const shard of description.shards) {
    const bytes = new Uint8Array(await read(shard.path));
    if (bytes.length !== shard.bytes || !(await hasHash(bytes, shard.sha256))) {
      throw new UserError(`${shard.path} is damaged; load the page again, or export the model again`);
    }
    all.set(bytes, done);
    done += bytes.length;
    onProgress(done, total);
  }
  return new Network(description, readWeights(description, all));
}

async function fetchBytes(address: string): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch {
    throw new UserError(`${address} cannot be reached; check that the server is running`);
  }
  if (!response.ok) {
    throw new UserError(`${address} cannot be read (${response.status} ${response.statusText}); export the page again`);
  }
  return response.arrayBuffer();
}

/** Whether `bytes` have this hash; true where the browser has no hashes, as on pages over plain http. */
async function hasHash(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

function readWeights(description: NetworkDescription, all: Uint8Array<ArrayBuffer>): Constant[] {
  let start = 0;
  return description.weights.map(({ shape, dtype }) => {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = all.slice(start, start + count * (dtype === "float16" ? 2 : 4));
    start += bytes.length;
    const values = dtype === "float16" ? fromHalf(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
    if (values.length !== count) throw new UserError("the model has too few weights; export it again");
    return { values, shape };
  });
}
