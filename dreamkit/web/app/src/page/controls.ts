/** Sliders for the numbers of a recipe; ranges and defaults come from dreamkit. */

import type { DreamConfig } from "../engine/config";
import { element } from "./elements";
import type { Limits, Site } from "./site";

interface Control {
  name: "strength" | "blend" | "color" | "octaves" | "octave_scale" | "steps" | "step_size" | "jitter" | "seed";
  label: string;
  /** What it does, in a few words. */
  hint: string;
  min: number;
  max: number;
  step: number;
  /** The number that stands for null. */
  auto?: number;
  /** Whether it changes the dream that is shown; these are at hand, above the recipes. */
  isLive?: boolean;
}

// A slider shows the useful part of a range; the number field beside it takes all of it.
const CONTROLS: Control[] = [
  { name: "strength", label: "Dream strength", hint: "of the whole dream", min: 0.25, max: 4, step: 0.05, isLive: true },
  { name: "blend", label: "Photograph", hint: "share mixed in", min: 0, max: 1, step: 0.05, isLive: true },
  { name: "color", label: "Colours kept", hint: "of the photograph", min: 0, max: 1, step: 0.05, isLive: true },
  { name: "octaves", label: "Octaves", hint: "sizes, small to large", min: 0, max: 10, step: 1, auto: 0 },
  { name: "octave_scale", label: "Octave scale", hint: "from size to size", min: 1.1, max: 2, step: 0.05 },
  { name: "steps", label: "Steps", hint: "at each size", min: 0, max: 60, step: 1, auto: 0 },
  { name: "step_size", label: "Step size", hint: "change per step", min: 0.002, max: 0.06, step: 0.001 },
  { name: "jitter", label: "Jitter", hint: "shift at each step", min: 0, max: 64, step: 1 },
  { name: "seed", label: "Seed", hint: "of the composition", min: 0, max: 999, step: 1 },
];

/** Options that change the dream that is shown. */
export const LIVE: string[] = CONTROLS.filter(({ isLive }) => isLive).map(({ name }) => name);

export class Controls {
  private readonly fields = new Map<string, [HTMLInputElement, HTMLInputElement]>();

  constructor(private readonly site: Site) {
    element("tuning").replaceChildren();
    element("options").replaceChildren();
    for (const control of CONTROLS) {
      const label = document.createElement("label");
      const limits = site.limits[control.name] ?? {};
      label.title = limits.help ?? "";
      const slider = createField("range", control);
      const number = createField("number", control);
      slider.dataset.option = number.dataset.option = control.name;
      number.id = `option-${control.name}`;
      number.max = String(limits.most ?? "");
      number.min = String(limits.least ?? limits.above ?? 0);
      if (control.auto !== undefined) number.placeholder = "auto";
      number.step = control.step < 1 ? "any" : "1";
      slider.setAttribute("aria-label", control.label);
      number.setAttribute("aria-label", `${control.label}, as a number`);
      slider.addEventListener("input", () => {
        number.value = Number(slider.value) === control.auto ? "" : slider.value;
      });
      number.addEventListener("input", () => {
        slider.value = number.value || String(control.auto ?? "");
      });
      // Reading the options also brings each field into its range.
      for (const each of [slider, number]) each.addEventListener("change", () => void this.options);
      this.fields.set(control.name, [slider, number]);
      const name = document.createElement("span");
      const hint = document.createElement("small");
      hint.textContent = control.hint;
      name.append(control.label, hint);
      label.append(name, slider, number);
      element(control.isLive ? "tuning" : "options").append(label);
    }
    this.set(site.options);
  }

  set(options: Partial<DreamConfig>): void {
    for (const control of CONTROLS) {
      const value = options[control.name];
      if (value === undefined) continue;
      this.show(control, value as number | null);
    }
  }

  private show(control: Control, value: number | null): void {
    const [slider, number] = this.fields.get(control.name)!;
    slider.value = String(value ?? control.auto);
    number.value = value === null ? "" : String(value);
  }

  /** The values of the controls, brought into the ranges that dreamkit takes; the fields show them. */
  get options(): Partial<DreamConfig> {
    const options: Record<string, number | null> = {};
    for (const control of CONTROLS) {
      const number = this.fields.get(control.name)![1];
      const given = number.value.trim() === "" ? NaN : Number(number.value);
      const fallback = control.auto === undefined ? (this.site.options[control.name] as number) : null;
      const value = Number.isFinite(given) ? clamp(given, this.site.limits[control.name] ?? {}, control) : fallback;
      options[control.name] = value;
      this.show(control, value);
    }
    return options as Partial<DreamConfig>;
  }
}

function clamp(given: number, limits: Limits, control: Control): number | null {
  if (control.auto !== undefined && given <= control.auto) return null;
  const min = limits.least ?? (limits.above === undefined ? -Infinity : limits.above + control.step);
  const value = Math.min(limits.most ?? Number.MAX_SAFE_INTEGER, Math.max(min, given));
  return control.step < 1 ? value : Math.round(value);
}

function createField(type: string, { min, max, step }: Control): HTMLInputElement {
  const field = document.createElement("input");
  field.type = type;
  field.min = String(min);
  field.max = String(max);
  field.step = String(step);
  return field;
}
