/** Reads exported networks from folders. */

import { readFileSync } from "node:fs";
import type { Network, NetworkDescription } from "../src/engine/network";
import { buildNetwork } from "../src/engine/network_files";

export function readJson<Content>(path: string): Content {
  return JSON.parse(readFileSync(path, "utf8")) as Content;
}

export function readBuffer(path: string): ArrayBuffer {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}

export function readNetwork(folder: string): Promise<Network> {
  const description = readJson<NetworkDescription>(`${folder}/model.json`);
  return buildNetwork(description, async (path) => readBuffer(`${folder}/${path}`));
}
