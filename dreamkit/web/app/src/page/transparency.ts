/** The colours and the opacity of a picture that may be transparent. */

import type { MaskLevels } from "./protocol";

/**
 * The pixels of a bitmap, `(height, width, 3)`, and its opacity; null where nothing is transparent. The colours
 * are those of the file, also where it is transparent.
 */
export function straightPixels(bitmap: ImageBitmap): { bytes: MaskLevels; alpha: MaskLevels | null } {
  let rgba = readCanvas(bitmap);
  const isTransparent = hasTransparency(rgba);
  // A canvas forgets the colours of transparent pixels; a graphics card does not.
  if (isTransparent) rgba = readTexture(bitmap) ?? rgba;
  const count = bitmap.width * bitmap.height;
  const bytes = new Uint8ClampedArray(count * 3);
  for (let from = 0, to = 0; to < bytes.length; from += 4) {
    bytes[to++] = rgba[from];
    bytes[to++] = rgba[from + 1];
    bytes[to++] = rgba[from + 2];
  }
  return { bytes, alpha: isTransparent ? new Uint8ClampedArray(count).map((_, i) => rgba[4 * i + 3]) : null };
}

function hasTransparency(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] < 255) return true;
  return false;
}

function readCanvas(bitmap: ImageBitmap): Uint8ClampedArray {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

/** The pixels, read through a texture; null where there is no WebGL, or the bitmap is too large for it. */
function readTexture(bitmap: ImageBitmap): Uint8ClampedArray | null {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl) return null;
  try {
    const { width, height } = bitmap;
    if (Math.max(width, height) > (gl.getParameter(gl.MAX_TEXTURE_SIZE) as number)) return null;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    const texture = gl.getParameter(gl.TEXTURE_BINDING_2D) as WebGLTexture;
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const bytes = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    return gl.getError() === gl.NO_ERROR ? new Uint8ClampedArray(bytes.buffer) : null;
  } finally {
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
