/** Sliders for the numbers of a recipe. Ranges and defaults are dreamkit's own. */

import type { Options } from "../engine/recipe";
import { element } from "./elements";
import type { Limits, Site } from "./site";

interface Control {
  name: "octaves" | "octave_scale" | "steps" | "step_size" | "jitter" | "seed";
  label: string;
  least: number;
  most: number;
  by: number;
  /** What stands for null. */
  none?: number;
}

// A slider shows the useful part of a range; the number beside it takes all of it.
const CONTROLS: Control[] = [
  { name: "octaves", label: "Octaves", least: 0, most: 10, by: 1, none: 0 },
  { name: "octave_scale", label: "Octave scale", least: 1.1, most: 2, by: 0.05 },
  { name: "steps", label: "Steps", least: 1, most: 60, by: 1 },
  { name: "step_size", label: "Step size", least: 0.002, most: 0.06, by: 0.001 },
  { name: "jitter", label: "Jitter", least: 0, most: 64, by: 1 },
  { name: "seed", label: "Seed", least: 0, most: 999, by: 1 },
];

export class Controls {
  private readonly fields = new Map<string, [HTMLInputElement, HTMLInputElement]>();

  constructor(private readonly site: Site) {
    const labels = CONTROLS.map((control) => {
      const label = document.createElement("label");
      const limits = site.limits[control.name] ?? {};
      label.title = limits.help ?? "";
      const slider = field("range", control);
      const number = field("number", control);
      number.id = `option-${control.name}`;
      number.max = String(limits.most ?? "");
      number.min = String(limits.least ?? limits.above ?? 0);
      if (control.none !== undefined) number.placeholder = "auto";
      number.step = control.by < 1 ? "any" : "1";
      slider.setAttribute("aria-label", control.label);
      slider.addEventListener("input", () => {
        number.value = Number(slider.value) === control.none ? "" : slider.value;
      });
      number.addEventListener("input", () => {
        slider.value = number.value || String(control.none ?? "");
      });
      for (const each of [slider, number]) each.addEventListener("change", () => void this.options); // put within its range at once
      this.fields.set(control.name, [slider, number]);
      label.append(control.label, slider, number);
      return label;
    });
    element("options").replaceChildren(...labels);
    this.set(site.options);
  }

  set(options: Partial<Options>): void {
    for (const control of CONTROLS) {
      const value = options[control.name];
      if (value === undefined) continue;
      this.show(control, value as number | null);
    }
  }

  private show(control: Control, value: number | null): void {
    const [slider, number] = this.fields.get(control.name)!;
    slider.value = String(value ?? control.none);
    number.value = value === null ? "" : String(value);
  }

  /** What is set, put within what dreamkit takes. */
  get options(): Partial<Options> {
    const found: Record<string, number | null> = {};
    for (const control of CONTROLS) {
      const number = this.fields.get(control.name)![1];
      const given = number.value.trim() === "" ? NaN : Number(number.value);
      const usual = control.none === undefined ? (this.site.options[control.name] as number) : null;
      const value = Number.isFinite(given) ? within(given, this.site.limits[control.name] ?? {}, control) : usual;
      found[control.name] = value;
      this.show(control, value);
    }
    return found as Partial<Options>;
  }
}

function within(given: number, limits: Limits, control: Control): number | null {
  if (control.none !== undefined && given <= control.none) return null;
  const least = limits.least ?? (limits.above === undefined ? -Infinity : limits.above + control.by);
  const value = Math.min(limits.most ?? Number.MAX_SAFE_INTEGER, Math.max(least, given));
  return control.by < 1 ? value : Math.round(value);
}

function field(type: string, { least, most, by }: Control): HTMLInputElement {
  const made = document.createElement("input");
  made.type = type;
  made.min = String(least);
  made.max = String(most);
  made.step = String(by);
  return made;
}
