/**
 * Where the time of a dream's steps goes, operation by operation, forward and backward.
 * `make profile-web` writes a network to a folder, names it in PROFILE, and shows what is written there as a table.
 */

import { writeFileSync } from "node:fs";
import type * as tf from "@tensorflow/tfjs-core";
import { test } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import { dream } from "../src/engine/loop";
import type { Network, NetworkDescription } from "../src/engine/network";
import type { Operation } from "../src/engine/operations";
import { readBuffer, readJson, readNetwork } from "../test/files";
import { startWasm } from "./stock";

interface Plan {
  height: number;
  width: number;
  rounds: number;
  config: DreamConfig;
}

/** Milliseconds of a processor, which other programs on the machine change little. */
function busy(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds by what took them. */
class Ledger {
  spent: Record<string, number> = {};

  measure<Result>(name: string, work: () => Result): Result {
    const start = busy();
    const result = work();
    this.spent[name] = (this.spent[name] ?? 0) + busy() - start;
    return result;
  }
}

/** What an operation is called in the table: its kind, and a convolution's kernel and stride. */
function nameOf({ operations, weights }: NetworkDescription, index: number): string {
  const { kind, attributes, constants } = operations[index];
  const stride = (attributes.strides as number[] | undefined)?.[0];
  const size = "kernel" in constants ? weights[constants.kernel].shape : [];
  const suffix = stride && stride > 1 ? ` /${stride}` : "";
  return `${kind}${size.length ? ` ${size[0]}x${size[1]}` : ""}${suffix}`;
}

/** Measures every pass of the network's operations, from now on. */
function watch(network: Network, ledger: Ledger): void {
  const { operations } = network as unknown as { operations: Operation[] };
  operations.forEach((operation, index) => {
    const name = nameOf(network.description, index);
    const { forward, backward } = operation;
    operation.forward = (inputs: tf.Tensor4D[]) => ledger.measure(`${name} forward`, () => forward(inputs));
    operation.backward = (...passed) => ledger.measure(`${name} backward`, () => backward(...passed));
  });
}

const folder = process.env.PROFILE!;

test.skipIf(!folder)("profile", async () => {
  await startWasm();
  const { height, width, rounds, config } = readJson<Plan>(`${folder}/bench.json`);
  const photo = { height, width, bytes: new Uint8ClampedArray(readBuffer(`${folder}/photo.u8`)) };
  const network = await readNetwork(folder);
  const ledger = new Ledger();
  watch(network, ledger);
  const found: Record<string, number>[] = [];
  for (let round = 0; round <= rounds; round++) {
    ledger.spent = {};
    const start = busy();
    const run = dream(photo, network, config);
    let steps = 0;
    while (!(await run.next()).done) steps++;
    const whole = busy() - start;
    const operations = Object.values(ledger.spent).reduce((sum, each) => sum + each, 0);
    const spent = { ...ledger.spent, "all else": whole - operations, "the whole step": whole };
    // The first round is a warm-up, which does not count.
    if (round) found.push(Object.fromEntries(Object.entries(spent).map(([name, each]) => [name, each / steps])));
  }
  writeFileSync(`${folder}/times.json`, JSON.stringify({ rounds: found }));
});
