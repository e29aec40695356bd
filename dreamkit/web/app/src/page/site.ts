/** What the folder that this page lies in offers. */

import type { Options } from "../engine/recipe";

export interface Limits {
  help?: string;
  least?: number;
  most?: number;
  above?: number;
  choices?: string[];
}

export interface Site {
  dreamkit: string;
  models: { name: string; path: string; bytes: number; description: string; licence: string }[];
  options: Options;
  limits: Record<string, Limits>;
}

export async function site(): Promise<Site> {
  const response = await fetch("site.json");
  if (!response.ok) throw new Error(`site.json cannot be read (${response.status})`);
  return (await response.json()) as Site;
}
