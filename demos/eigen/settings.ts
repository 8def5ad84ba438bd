/** What the address of the page says: the family, its order and its seed. */
import { FAMILIES, familyNamed } from "./families.ts";
import { MAX_ORDER } from "./readMatrix.ts";

/** In place of a family's name: numbers of the user's own, which no address carries. */
export const OWN = "own";

export interface Settings {
  readonly family: string;
  readonly n: number;
  readonly seed: number;
}

export function defaults(): Settings {
  return { family: FAMILIES[0]?.name ?? OWN, n: 48, seed: 0 };
}

export function toHash({ family, n, seed }: Settings): string {
  if (family === OWN) return `#family=${OWN}`;
  const seeded = familyNamed(family)?.isRandom && seed !== 0;
  return `#family=${family}&n=${n}${seeded ? `&seed=${seed}` : ""}`;
}

/** @returns the settings, and the parts of the address that say nothing or something impossible */
export function fromHash(hash: string): { readonly settings: Settings; readonly ignored: readonly string[] } {
  const settings = { ...defaults() };
  const ignored: string[] = [];
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const whole = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
    if (key === "family" && (value === OWN || familyNamed(value))) settings.family = value;
    else if (key === "n" && whole >= 2 && whole <= MAX_ORDER) settings.n = whole;
    else if (key === "seed" && Number.isFinite(whole)) settings.seed = whole;
    else ignored.push(value === "" ? key : `${key}=${value}`);
  }
  return { settings, ignored };
}
