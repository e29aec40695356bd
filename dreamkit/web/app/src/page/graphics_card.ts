/** The backends that use a graphics card, and whether one of them is faster than WebAssembly. */

import type { Backend } from "./protocol";
import { WorkerClient } from "./worker_client";

const SIDE = 128; // pixels of the picture that backends are compared on
const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

/** The fastest backend for the network at `address`; `client` has the network open on WebAssembly. */
export async function fastestBackend(client: WorkerClient, address: string): Promise<Backend> {
  const candidates = await hardwareBackends();
  if (!candidates.length) return "wasm";
  let fastest: { backend: Backend; milliseconds: number } = {
    backend: "wasm",
    milliseconds: await client.measure(SIDE),
  };
  for (const backend of candidates) {
    const other = new WorkerClient(() => {});
    try {
      await other.open(address, backend, () => {});
      const milliseconds = await other.measure(SIDE);
      if (milliseconds < fastest.milliseconds) fastest = { backend, milliseconds };
    } catch {
      // A backend that fails is not a candidate.
    } finally {
      other.terminate();
    }
  }
  return fastest.backend;
}

/** Backends on a real graphics card; one that is emulated in software would be slower than WebAssembly. */
async function hardwareBackends(): Promise<Backend[]> {
  const backends: Backend[] = [];
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  const adapter = (await gpu?.requestAdapter().catch(() => null)) as {
    isFallbackAdapter?: boolean;
    info?: { architecture?: string; vendor?: string; isFallbackAdapter?: boolean };
  } | null;
  const info = adapter?.info;
  const isFallback = adapter?.isFallbackAdapter || info?.isFallbackAdapter;
  if (adapter && !isFallback && !SOFTWARE.test(`${info?.architecture} ${info?.vendor}`)) backends.push("webgpu");
  const context = document.createElement("canvas").getContext("webgl2");
  const extension = context?.getExtension("WEBGL_debug_renderer_info");
  const renderer = context && String(context.getParameter(extension?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  if (renderer && !SOFTWARE.test(renderer)) backends.push("webgl");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return backends;
}
