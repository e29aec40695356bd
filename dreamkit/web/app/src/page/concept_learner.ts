/** Learns a concept from the user's own pictures. They stay on this device. */

import { type Concept, type ConceptsDescription, direction, leaveOneOut, readStatistics } from "../engine/concept";
import { UserError } from "../engine/errors";
import { readPhoto } from "./photograph";
import type { WorkerClient } from "./worker_client";

const LONGEST = 1024; // pixels of a picture's longest side
const MOST = 100; // pictures
const LEAST_SEPARATION = 0.6;

export interface LearnedConcept {
  concept: Concept;
  /** The share of other photographs that a picture stands out from, in the layer where it is largest; null for one. */
  separation: number | null;
  /** Whether the pictures have so little in common that it may be chance. */
  isDoubtful: boolean;
}

/** The concept of `files`, in the layers that the page's concepts are dreamed in. */
export async function learnConcept(
  name: string,
  files: File[],
  description: ConceptsDescription,
  worker: WorkerClient,
): Promise<LearnedConcept> {
  if (files.length > MOST) throw new UserError(`${files.length} pictures are chosen; choose at most ${MOST}`);
  const pictures = [];
  for (const file of files) pictures.push(await readPhoto(file, { max_size: LONGEST, upscale: 1, wrap: "none" }));
  const { layers, side, shrinkage } = description;
  const features = await worker.look(
    pictures.map(({ height, width, bytes }) => ({ height, width, bytes })),
    layers,
    side,
  );
  const concept: Concept = { name, directions: {} };
  const separations: number[] = [];
  layers.forEach((layer, index) => {
    const seen = features.map((each) => each[index]);
    const reference = readStatistics(description, layer);
    concept.directions[layer] = direction(seen, reference, shrinkage);
    separations.push(leaveOneOut(seen, reference, shrinkage) ?? NaN);
  });
  const best = Math.max(...separations);
  const separation = Number.isNaN(best) ? null : best;
  return { concept, separation, isDoubtful: separation !== null && separation < LEAST_SEPARATION };
}
