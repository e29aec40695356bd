/**
 * Where the time of a live frame goes, by the longest side of a frame, in seconds of the processor. LIVE names the
 * folder of a network of an exported page: LIVE=site/models/pocket npm run bench -- live
 */

import { test } from "vitest";
import { carried } from "../src/engine/carry";
import type { Photograph } from "../src/engine/octave_schemes";
import { asPicture } from "../src/page/job";
import { LiveDream } from "../src/page/live_job";
import { readNetwork } from "../test/files";
import { frameOf, STILL, textureOf } from "../test/moving_texture";
import { parity } from "../test/parity";
import { startWasm } from "./stock";

const FRAMES = 12; // an even number, because two octaves take turns
const folder = process.env.LIVE!;

test.skipIf(!folder)("live frames", async () => {
  await startWasm();
  const network = await readNetwork(folder);
  const texture = textureOf(1);
  for (const longest of [128, 160, 192, 256]) {
    const frames: Photograph[] = Array.from({ length: FRAMES }, (_, turn) =>
      frameOf(texture, (longest * 3) / 4, longest, { ...STILL, right: 2 * turn, angle: turn / 100 }),
    );
    const live = new LiveDream(network);
    for (const frame of frames.slice(0, 4)) await live.next(frame, parity.options); // a warm-up, which does not count
    const whole = await milliseconds(async (turn) => void (await live.next(frames[turn], parity.options)));
    const carrying = await milliseconds(async (turn) => {
      if (turn) carried(asPicture(frames[turn]), frames[turn - 1], frames[turn]);
    });
    console.log(`${longest} pixels: ${whole.toFixed(0)} ms a frame, of which carrying ${carrying.toFixed(0)} ms`);
  }
});

/** The mean time of the processor, which other programs change little. */
async function milliseconds(work: (turn: number) => Promise<void>): Promise<number> {
  const used = process.cpuUsage();
  for (let turn = 0; turn < FRAMES; turn++) await work(turn);
  const { user, system } = process.cpuUsage(used);
  return (user + system) / 1000 / FRAMES;
}
