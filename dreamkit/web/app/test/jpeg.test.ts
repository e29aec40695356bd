/** Recipes in JPEG files. */

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { segments, withRecipe } from "../src/page/jpeg";
import { md5 } from "../src/page/md5";

test.each([0, 3, 55, 56, 64, 1000])("MD5 of %i bytes", (length) => {
  const data = Uint8Array.from({ length }, (_, i) => (7 * i) % 256);
  expect(md5(data)).toBe(createHash("md5").update(data).digest("hex"));
});

test("a recipe stands after the header of JFIF", async () => {
  const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xdb]);
  const file = Buffer.from(await withRecipe(jpeg, '{"a":"<&>\\u0000\uffff"}').arrayBuffer());
  expect(file.subarray(0, 10).toString("hex")).toBe("ffd8ffe000040102ffe1");
  expect(file.subarray(-2).toString("hex")).toBe("ffdb");
  expect(file.toString()).toContain('<dreamkit:recipe>{"a":"&lt;&amp;&gt;\\u0000"}</dreamkit:recipe>');
  expect(file.readUInt16BE(10)).toBe(file.length - 12);
});

test("a long recipe stands in an extension", () => {
  const recipe = JSON.stringify({ mask: "x".repeat(150_000) });
  const [main, ...pieces] = segments(recipe).map((each) => Buffer.from(each));
  const guid = /<xmpNote:HasExtendedXMP>(\w+)</.exec(main.toString())![1];
  expect(pieces).toHaveLength(3);
  const start = 4 + "http://ns.adobe.com/xmp/extension/\0".length + guid.length;
  const whole = Buffer.concat(pieces.map((piece) => piece.subarray(start + 8)));
  pieces.forEach((piece, i) => {
    expect(piece.readUInt16BE(2)).toBe(piece.length - 2);
    expect(piece.subarray(start - guid.length, start).toString()).toBe(guid);
    expect([piece.readUInt32BE(start), piece.readUInt32BE(start + 4)]).toEqual([whole.length, 65_400 * i]);
  });
  expect(createHash("md5").update(whole).digest("hex").toUpperCase()).toBe(guid);
  expect(whole.toString()).toContain(`<dreamkit:recipe>${recipe}</dreamkit:recipe>`);
});
