/** Encodes PNG files with texts in them. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 };
const SUB = 1; // the filter that stores each byte as its difference from the previous pixel

/** A PNG of `channels` 1 (grey), 3 (RGB) or 4 (RGB and opacity), 8 bits, with texts by keyword. */
export async function encode(
  bytes: Uint8ClampedArray,
  height: number,
  width: number,
  channels: 1 | 3 | 4,
  texts: Record<string, string> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const length = width * channels;
  const filtered = new Uint8Array(height * (length + 1));
  for (let y = 0; y < height; y++) {
    const to = y * (length + 1);
    filtered[to] = SUB;
    for (let i = 0; i < length; i++) {
      filtered[to + 1 + i] = bytes[y * length + i] - (i < channels ? 0 : bytes[y * length + i - channels]);
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_TYPES[channels], 0, 0, 0], 8);
  const chunks = [
    chunk("IHDR", header),
    ...Object.entries(texts).map(([keyword, text]) => chunk("iTXt", textChunk(keyword, text))),
    chunk("IDAT", await deflate(filtered)),
    chunk("IEND", new Uint8Array()),
  ];
  return concatenate([Uint8Array.from(SIGNATURE), ...chunks]);
}

/** International text: keyword, no compression, no language, no translation. */
function textChunk(keyword: string, text: string): Uint8Array {
  const encoder = new TextEncoder();
  return concatenate([encoder.encode(keyword), new Uint8Array([0, 0, 0, 0, 0]), encoder.encode(text)]);
}

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(kind), 4);
  out.set(data, 8);
  view.setUint32(data.length + 8, checksum(out.subarray(4, data.length + 8)));
  return out;
}

async function deflate(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function concatenate(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    out.set(part, start);
    start += part.length;
  }
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** The CRC-32 of PNG. */
function checksum(data: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of data) c = TABLE[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
