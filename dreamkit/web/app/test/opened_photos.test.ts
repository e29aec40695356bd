/** Photographs that were opened, and what is kept of them. */

import { expect, test } from "vitest";
import { type HistoryEntry, labelOf } from "../src/page/dream_history";
import { OpenedPhotos } from "../src/page/opened_photos";
import type { Photo } from "../src/page/photograph";

const photo = (name: string) => ({ name, isNoise: false, width: 3, height: 2 }) as Photo;
const file = (name: string) => ({ name }) as File;
const dream = { painting: [], choice: { terms: ["first"] } } as unknown as HistoryEntry;

function open(photos: OpenedPhotos, name: string, dreams: number): void {
  photos.open(photo(name), file(name), 384);
  for (let i = 0; i < dreams; i++) photos.current!.history.push(dream);
}

const summary = (photos: OpenedPhotos) => photos.state.map(({ photo: { name }, entries }) => `${name} ${entries.length}`);

test("a photograph with dreams stays when another is opened, and one without gives way", () => {
  const photos = new OpenedPhotos();
  open(photos, "a", 2);
  photos.current!.history.undo();
  open(photos, "b", 0);
  photos.open({ ...photo(""), isNoise: false }, null, 384); // of the camera: it cannot be opened again
  open(photos, "c", 1);
  expect(summary(photos)).toEqual(["a 2", " 0", "c 1"]);
  expect(photos.earlier.map(({ name }) => name)).toEqual(["a", "the camera's picture"]);
  photos.goBack(photos.earlier[0].id);
  expect(summary(photos)).toEqual([" 0", "c 1", "a 2"]);
  expect(photos.current!.history.position).toBe(1);
});

test("the way back to a photograph keeps the one that it leaves, also without dreams", () => {
  const photos = new OpenedPhotos();
  open(photos, "a", 1);
  open(photos, "b", 0);
  photos.goBack(photos.earlier[0].id);
  expect(summary(photos)).toEqual(["b 0", "a 1"]);
});

test("what was used the longest time ago goes first, beyond eight photographs and forty dreams", () => {
  const photos = new OpenedPhotos();
  for (const name of ["a", "b", "c"]) open(photos, name, 18);
  photos.current!.history.goTo(2);
  expect(summary(photos)).toEqual(["a 18", "b 18", "c 18"]);
  open(photos, "d", 0);
  expect(summary(photos)).toEqual(["a 4", "b 18", "c 18", "d 0"]);
  expect(photos.earlier.map(({ history }) => history.position)).toEqual([4, 18, 2]);
  for (const name of ["e", "f", "g", "h", "i", "j", "k"]) open(photos, name, 1);
  expect(summary(photos)).toEqual(["c 18", "e 1", "f 1", "g 1", "h 1", "i 1", "j 1", "k 1"]);
});

test("photographs come back as they were", () => {
  const photos = new OpenedPhotos();
  open(photos, "a", 3);
  open(photos, "b", 2);
  photos.current!.history.undo();
  const other = new OpenedPhotos();
  other.restore(photos.state);
  expect(other.state).toEqual(photos.state);
  open(other, "c", 0);
  expect(new Set(other.state.map(({ id }) => id)).size).toBe(3);
});

test("an entry is called by its layers, and a painting by its strokes", () => {
  expect(labelOf({ ...dream, choice: { ...dream.choice, terms: ["mixed4c", "concept dogs=2"] } })).toBe("mixed4c and dogs=2");
  const erasing = { label: "" };
  const painting = [{ label: "dogs" }, { label: "mixed4c" }, erasing, { label: "dogs" }] as unknown as HistoryEntry["painting"];
  expect(labelOf({ ...dream, painting })).toBe("dogs and mixed4c");
});
