/** From what was typed to a complete configuration: preset or config.json, then `--set`, then `--steps` and `--seed`. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { z } from "zod";
import { EngineError } from "../../errors.ts";
import { RUN_FORMAT, type RunConfig } from "../../experiments/contract.ts";
import { closest } from "./closest.ts";
import { runConfigSchema } from "./schemas/runConfig.ts";
import { applySet } from "./setPath.ts";

export interface ConfigChoice {
  /** Name of a preset, or path of a config.json. */
  readonly preset: string;
  readonly set: readonly string[];
  readonly steps?: number | undefined;
  readonly seed?: number | undefined;
}

/**
 * @throws EngineError CONFIG-PRESET, CONFIG-FILE, CONFIG-JSON, CONFIG-SET-KEY, CONFIG-SET-TYPE, CONFIG-KEY, CONFIG-VALUE
 */
export async function resolveConfig(
  choice: ConfigChoice,
  presets: Readonly<Record<string, RunConfig>>,
  cwd: string,
): Promise<RunConfig> {
  const isFile = !Object.hasOwn(presets, choice.preset) && /[/\\]|\.json$/i.test(choice.preset);
  let config: unknown = isFile
    ? await readConfigFile(resolve(cwd, choice.preset))
    : presetNamed(choice.preset, presets);
  // A file is checked before anything is set in it, so that its own faults are not blamed on --set.
  if (isFile) config = validateConfig(config, choice.preset);
  for (const assignment of choice.set) config = applySet(config as object, assignment);
  if (choice.steps !== undefined) config = { ...(config as RunConfig), steps: choice.steps };
  if (choice.seed !== undefined) config = { ...(config as RunConfig), seed: choice.seed };
  return validateConfig(config, isFile ? choice.preset : `preset ${choice.preset}`);
}

/** @throws EngineError CONFIG-KEY for keys that do not exist, CONFIG-VALUE for anything else; both name the path and the value */
export function validateConfig(config: unknown, where: string): RunConfig {
  const result = runConfigSchema.safeParse(config);
  if (result.success) return result.data;
  const format = (config as { readonly format?: unknown } | null)?.format;
  if (typeof format === "number" && format > RUN_FORMAT) {
    throw new EngineError({
      code: "RUN-NEWER",
      message: `The configuration (${where}) has format ${format}; this eigenstep reads up to ${RUN_FORMAT}`,
      fix: "Update eigenstep to the version that wrote it, or a later one.",
      where,
    });
  }
  const issues = result.error.issues;
  const first = issues[0];
  const lines = issues.map((issue) => describeIssue(issue, config));
  const isKey = first?.code === "unrecognized_keys";
  throw new EngineError({
    code: isKey ? "CONFIG-KEY" : "CONFIG-VALUE",
    message: `The configuration (${where}) is not valid: ${lines.join("; ")}`,
    fix: isKey ? "Remove or rename the key." : `Change ${pathOf(first) || "the configuration"} accordingly.`,
    where: pathOf(first) || where,
  });
}

function describeIssue(issue: z.core.$ZodIssue, config: unknown): string {
  const path = pathOf(issue);
  const place = path || "the configuration";
  const value = valueAt(config, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = typeof value === "object" && value !== null ? Object.keys(value) : [];
    const others = known.filter((key) => !issue.keys.includes(key));
    return `${place} has no ${issue.keys.map((key) => `"${key}"`).join(", ")} here (it has ${others.join(", ")})`;
  }
  if (value === undefined) return `${place} is missing`;
  return `${place} is ${JSON.stringify(value)}: ${issue.message.replace(/^Invalid (input|option): /, "")}`;
}

function pathOf(issue: z.core.$ZodIssue | undefined): string {
  return issue?.path.map(String).join(".") ?? "";
}

function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    config,
  );
}

function presetNamed(name: string, presets: Readonly<Record<string, RunConfig>>): RunConfig {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset) return preset;
  const known = Object.keys(presets).sort();
  const meant = closest(name, known);
  throw new EngineError({
    code: "CONFIG-PRESET",
    message: `There is no preset "${name}"; there are ${known.join(", ")}`,
    fix: meant ? `Did you mean ${meant}?` : "Use one of these names, or the path of a config.json.",
    where: name,
    detail: { known },
  });
}

async function readConfigFile(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new EngineError({
      code: "CONFIG-FILE",
      message: `The configuration file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Give the path of a run's config.json, or the name of a preset.",
      where: path,
      cause,
    });
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new EngineError({
      code: "CONFIG-JSON",
      message: `${path} is not valid JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Correct the file, or use a run's config.json unchanged.",
      where: path,
      cause,
    });
  }
}
