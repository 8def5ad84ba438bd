/** What can be set, its bounds, and how the address of the page says it. */
import type { HltmConfig, HltmLoss } from "../../src/experiments/hltm/config.ts";
import { presets } from "../../src/experiments/presets.ts";

export const LOSSES = ["infoNce", "simpleContrastive", "softTriplet", "batchSigmoid", "batchDifference"] as const;
export type LossName = (typeof LOSSES)[number];

export interface Settings {
  readonly depth: number;
  readonly width: number;
  /** Least |ρ| of an edge. */
  readonly low: number;
  readonly loss: LossName;
  readonly lr: number;
  readonly seed: number;
}

export const DEFAULTS: Settings = { depth: 5, width: 10, low: 0.8, loss: "infoNce", lr: 0.1, seed: 0 };

/** Inclusive; whole numbers where the step is 1. */
export const BOUNDS = {
  depth: { min: 1, max: 6, step: 1 },
  width: { min: 1, max: 20, step: 1 },
  low: { min: 0, max: 1, step: 0.01 },
  lr: { min: 0.0001, max: 100, step: 0 },
  seed: { min: 0, max: 2 ** 32 - 1, step: 1 },
} as const;
type NumberKey = keyof typeof BOUNDS;

/** The value when it is allowed. */
export function allowed(key: NumberKey, value: number): number | undefined {
  const { min, max, step } = BOUNDS[key];
  const isWhole = step !== 1 || Number.isInteger(value);
  return Number.isFinite(value) && value >= min && value <= max && isWhole ? value : undefined;
}

/** Only what differs from the defaults. */
export function toHash(settings: Settings): string {
  const keys = Object.keys(DEFAULTS) as (keyof Settings)[];
  const parts = keys.filter((key) => settings[key] !== DEFAULTS[key]).map((key) => `${key}=${settings[key]}`);
  return parts.length === 0 ? "" : `#${parts.join("&")}`;
}

/** @returns the settings, and the parts of the address that say nothing or something impossible */
export function fromHash(hash: string): { readonly settings: Settings; readonly ignored: readonly string[] } {
  let settings = DEFAULTS;
  const ignored: string[] = [];
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const number = key in BOUNDS && value.trim() !== "" ? allowed(key as NumberKey, Number(value)) : undefined;
    const loss = key === "loss" ? LOSSES.find((name) => name === value) : undefined;
    if (number !== undefined) settings = { ...settings, [key]: number };
    else if (loss) settings = { ...settings, loss };
    else ignored.push(value === "" ? key : `${key}=${value}`);
  }
  return { settings, ignored };
}

const TEMPERATURE = 0.1;

function lossOf(name: LossName): HltmLoss {
  switch (name) {
    case "infoNce":
    case "batchSigmoid":
      return { kind: name, temperature: TEMPERATURE };
    case "softTriplet":
      return { kind: name, temperature: TEMPERATURE, margin: 0 };
    default:
      return { kind: name };
  }
}

/** One seed of the preset `hltm` with these settings, looked at every few updates on few enough samples to keep the page moving. */
export function configOf({ depth, width, low, loss, lr, seed }: Settings): HltmConfig {
  const preset = presets["hltm"] as HltmConfig;
  return {
    ...preset,
    seed,
    seeds: 1,
    steps: 20_000,
    tree: { ...preset.tree, depth, polarity: [low, 1] },
    model: { width },
    loss: lossOf(loss),
    optimizer: { learningRate: lr },
    record: { every: 20, samples: 4096, operatorSamples: 32 },
  };
}
