/** What a visitor may choose: ranges, the address (hash) that carries it, and the run configuration it stands for. No DOM. */
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import { linearPresets } from "../../src/experiments/presets.ts";

/** Data sets that need no download, with their names for people. */
export const DATA_SETS = {
  "linear-mnist": "MNIST digits, cropped",
  "linear-synthetic": "Gaussian, geometric γ",
  "linear-extent-bias": "Large and small feature",
  "linear-amplitude-bias": "Loud and quiet frequency",
} as const;

export type PresetName = keyof typeof DATA_SETS;

/** Steps a second; 0 stands for as fast as it goes. */
export const RATES = [5, 20, 60, 200, 1000, 0] as const;

export interface Settings {
  readonly preset: PresetName;
  /** Embedding dimension d. */
  readonly d: number;
  /** Standard deviation α of the initial weights. */
  readonly init: number;
  readonly lr: number;
  readonly seed: number;
  /** MNIST: images and side of the crop. */
  readonly images: number;
  readonly crop: number;
  /** Synthetic: γ_j = decay^−j. */
  readonly decay: number;
  readonly rate: number;
  readonly logT: boolean;
  readonly logLambda: boolean;
}

type NumberKey = "d" | "init" | "lr" | "seed" | "images" | "crop" | "decay";

interface Range {
  readonly least: number;
  readonly most: number;
  readonly isWhole: boolean;
  /** Name in messages. */
  readonly name: string;
}

/** What each number may be. */
export function rangeOf(key: NumberKey, settings: Pick<Settings, "preset" | "crop">): Range {
  switch (key) {
    case "d":
      return { least: 1, most: maxDimension(settings), isWhole: true, name: "embedding dimension d" };
    case "init":
      return { least: 1e-8, most: 1, isWhole: false, name: "initial scale α" };
    case "lr":
      return { least: 1e-6, most: 1e3, isWhole: false, name: "learning rate" };
    case "seed":
      return { least: 0, most: 0xffff_ffff, isWhole: true, name: "seed" };
    case "images":
      return { least: 16, most: 512, isWhole: true, name: "number of images" };
    case "crop":
      return { least: 4, most: 20, isWhole: true, name: "side of the crop" };
    case "decay":
      return { least: 1.05, most: 4, isWhole: false, name: "decay" };
  }
}

/** Which of the numbers belong to one kind of data only. */
export const ONLY_FOR: Readonly<Partial<Record<NumberKey, PresetName>>> = {
  images: "linear-mnist",
  crop: "linear-mnist",
  decay: "linear-synthetic",
};

const NUMBER_KEYS: readonly NumberKey[] = ["d", "init", "lr", "seed", "images", "crop", "decay"];

/** The eigen-solver takes 64; a linear map gives no more dimensions than its input has. */
function maxDimension({ preset, crop }: Pick<Settings, "preset" | "crop">): number {
  const features = {
    "linear-mnist": crop ** 2,
    "linear-synthetic": 12,
    "linear-extent-bias": 10,
    "linear-amplitude-bias": 96,
  };
  return Math.min(64, features[preset]);
}

/** The preset as it is; faster where the command's setting is meant for precision. */
export function defaults(preset: PresetName): Settings {
  const { model, optimizer, seed, data } = configOf(preset);
  return {
    preset,
    d: model.outputs,
    init: model.initScale,
    lr: optimizer.learningRate,
    seed,
    images: "images" in data ? data.images : 512,
    crop: "crop" in data ? data.crop : 14,
    decay: "decay" in data ? data.decay : 1.5,
    rate: 0,
    logT: false,
    logLambda: false,
  };
}

function configOf(preset: PresetName): LinearConfig {
  const config = linearPresets[preset];
  if (!config) throw new Error(`unreachable: there is no preset ${preset}`);
  return config;
}

/** A message when a number is outside its range. */
export function faultOf(settings: Settings): { readonly key: NumberKey; readonly message: string } | undefined {
  for (const key of NUMBER_KEYS) {
    if (isUnused(key, settings.preset)) continue;
    const message = rangeFault(key, settings[key], settings);
    if (message !== undefined) return { key, message };
  }
  return undefined;
}

function rangeFault(key: NumberKey, value: number, settings: Pick<Settings, "preset" | "crop">): string | undefined {
  const { least, most, isWhole, name } = rangeOf(key, settings);
  if (value >= least && value <= most && (!isWhole || Number.isInteger(value))) return undefined;
  return `The ${name} must be ${isWhole ? "a whole number " : ""}from ${least} to ${most}.`;
}

function isUnused(key: NumberKey, preset: PresetName): boolean {
  const only = ONLY_FOR[key];
  return only !== undefined && only !== preset;
}

/** The run these settings stand for. */
export function toConfig(settings: Settings): LinearConfig {
  const base = configOf(settings.preset);
  const { images, crop, decay } = settings;
  const data =
    "images" in base.data ? { ...base.data, images, crop } : "decay" in base.data ? { ...base.data, decay } : base.data;
  return {
    ...base,
    seed: settings.seed,
    data,
    model: { outputs: settings.d, initScale: settings.init },
    optimizer: { learningRate: settings.lr, momentum: 0 },
    record: { every: 1 },
    kernels: { family: "auto" },
    force: false,
  };
}

/** Only what differs from the preset, so that links stay short. */
export function toHash(settings: Settings): string {
  const usual = defaults(settings.preset);
  const entries: [string, string][] = [["preset", settings.preset.replace("linear-", "")]];
  for (const key of NUMBER_KEYS) {
    if (settings[key] !== usual[key] && !isUnused(key, settings.preset)) entries.push([key, String(settings[key])]);
  }
  if (settings.rate !== 0) entries.push(["rate", String(settings.rate)]);
  if (settings.logT) entries.push(["t", "log"]);
  if (settings.logLambda) entries.push(["lambda", "log"]);
  return `#${entries.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&")}`;
}

/** Reads an address. What is unknown or out of range is left at its default and named in `ignored`. */
export function fromHash(hash: string): { readonly settings: Settings; readonly ignored: readonly string[] } {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const ignored: string[] = [];
  const named = `linear-${given.get("preset") ?? "mnist"}`;
  if (!(named in DATA_SETS)) ignored.push(`preset=${given.get("preset")}`);
  let settings = defaults(named in DATA_SETS ? (named as PresetName) : "linear-mnist");
  // The crop first: the largest dimension depends on it.
  for (const [key, value] of [...given].sort(([a], [b]) => Number(b === "crop") - Number(a === "crop"))) {
    const changed = key === "preset" ? {} : changeOf(key, value, settings);
    if (changed) settings = { ...settings, ...changed };
    else ignored.push(`${key}=${value}`);
  }
  return { settings, ignored };
}

function changeOf(key: string, text: string, settings: Settings): Partial<Settings> | undefined {
  if (key === "t" && text === "log") return { logT: true };
  if (key === "lambda" && text === "log") return { logLambda: true };
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (key === "rate") return RATES.some((rate) => rate === value) ? { rate: value } : undefined;
  const number = NUMBER_KEYS.find((name) => name === key);
  if (!number || rangeFault(number, value, settings) !== undefined) return undefined;
  return { [number]: value };
}
