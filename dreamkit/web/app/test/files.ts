/** Exported networks, read from folders. */

import { readFileSync } from "node:fs";
import { assembled } from "../src/engine/model";
import type { Description, Network } from "../src/engine/network";

export function json<Content>(path: string): Content {
  return JSON.parse(readFileSync(path, "utf8")) as Content;
}

export function bufferOf(path: string): ArrayBuffer {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}

export function networkIn(folder: string): Promise<Network> {
  return assembled(json<Description>(`${folder}/model.json`), async (path) => bufferOf(`${folder}/${path}`));
}
