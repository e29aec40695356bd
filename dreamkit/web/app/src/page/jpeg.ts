/** JPEG files with a recipe in XMP: dreamkit's `media/xmp.py`. */

import { md5 } from "./md5";

const NAMESPACE = "urn:dreamkit:1.0/";
const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const NOTE = "http://ns.adobe.com/xmp/note/";
const MAIN_HEADER = "http://ns.adobe.com/xap/1.0/\0";
const EXTENSION_HEADER = "http://ns.adobe.com/xmp/extension/\0";
const MAIN_LIMIT = 65_502; // bytes of a main packet
const PIECE = 65_400; // bytes of an extension in one segment

const encoder = new TextEncoder();

/** A JPEG file with a recipe, which is JSON, in it. */
export function withRecipe(jpeg: Uint8Array<ArrayBuffer>, recipe: string): Blob {
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  const hasHeader = view.getUint16(2) === 0xffe0; // of JFIF, which comes first
  const at = hasHeader ? 4 + view.getUint16(4) : 2;
  return new Blob([jpeg.slice(0, at), ...segments(recipe), jpeg.slice(at)], { type: "image/jpeg" });
}

/** The segments that hold a recipe; a long one stands in an extension. */
export function segments(recipe: string): Uint8Array<ArrayBuffer>[] {
  const whole = encoder.encode(packet(element("dreamkit:recipe", recipe)));
  if (whole.length <= MAIN_LIMIT) return [segment(encoder.encode(MAIN_HEADER), whole)];
  const extension = encoder.encode(meta(element("dreamkit:recipe", recipe)));
  const guid = md5(extension).toUpperCase();
  const main = encoder.encode(packet(element("xmpNote:HasExtendedXMP", guid)));
  const found = [segment(encoder.encode(MAIN_HEADER), main)];
  for (let offset = 0; offset < extension.length; offset += PIECE) {
    const place = new DataView(new ArrayBuffer(8));
    place.setUint32(0, extension.length);
    place.setUint32(4, offset);
    const piece = extension.subarray(offset, offset + PIECE);
    found.push(segment(encoder.encode(EXTENSION_HEADER + guid), new Uint8Array(place.buffer), piece));
  }
  return found;
}

function packet(content: string): string {
  return `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n${meta(content)}\n<?xpacket end="w"?>`;
}

function meta(content: string): string {
  return (
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${RDF}"><rdf:Description rdf:about="" ` +
    `xmlns:dreamkit="${NAMESPACE}" xmlns:xmpNote="${NOTE}">${content}</rdf:Description></rdf:RDF></x:xmpmeta>`
  );
}

function element(name: string, text: string): string {
  const legal = text.replace(/[\ufffe\uffff]/g, ""); // XML cannot hold them; JSON escapes other such characters
  const escaped = legal.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<${name}>${escaped}</${name}>`;
}

function segment(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 2);
  const out = new Uint8Array(length + 2);
  new DataView(out.buffer).setUint32(0, 0xffe10000 + length);
  let at = 4;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
