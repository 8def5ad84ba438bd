/** `eigenstep staircases`: trains Barlow Twins, VICReg and SimCLR on small nets, and makes the figure with the three side by side. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import type { RunConfig } from "../../experiments/contract.ts";
import { IMPLIED_VALUES } from "../../experiments/impliedValues.ts";
import { configRows } from "../../report/describeRun.ts";
import { readRunFolder, type StoredConfig, type StoredRun } from "../../report/readRun.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import { openRun, type PreparedRun, type RunState } from "../preparedRun.ts";
import { type StaircaseRow, staircaseRow, staircasesTable } from "../report/staircasesTable.ts";
import { writeFiles } from "../report/writeFiles.ts";
import { RunFolder } from "../runFolder.ts";
import { announceStop, type TrainingOptions, trainRun } from "../training.ts";

export const STAIRCASE_SIZES = ["tiny", "small", "fresh", "control"] as const;
export type StaircaseSize = (typeof STAIRCASE_SIZES)[number];

/** In the order of the figure's columns. */
const METHODS = ["barlow", "vicreg", "simclr"] as const;

export interface StaircasesOptions extends Omit<TrainingOptions, "save"> {
  readonly size: StaircaseSize;
  readonly out?: string | undefined;
  /** Seeds 0 … seeds − 1. */
  readonly seeds: number;
  readonly set: readonly string[];
  readonly json: boolean;
}

/** What `--json` prints. */
export interface StaircasesDocument {
  readonly size: StaircaseSize;
  readonly out: string;
  readonly svg: string;
  readonly html: string;
  readonly runs: readonly StaircaseRow[];
}

/**
 * Runs that are complete are left as they are, unfinished ones are gone on with: the command may be stopped and given again.
 *
 * @returns the exit code
 * @throws EngineError RUN-OTHER-CONFIG (a folder holds another run), and what training and reports throw
 */
export async function staircases(options: StaircasesOptions, context: CommandContext): Promise<number> {
  const out = resolve(context.cwd, options.out ?? join("runs", `staircases-${options.size}`));
  const planned = await plannedRuns(options, out, context);
  let exitCode: number = EXIT.ok;
  for (const [index, { config, path }] of planned.entries()) {
    const run = await openedOrNew(config, path);
    const name = `${config.preset}, seed ${config.seed} (${index + 1} of ${planned.length})`;
    const isDone = run.state === "complete" || run.state === "diverged";
    if (!options.quiet) context.stderr.write(`${name}${isDone ? `: ${run.state}, kept as it is` : ""}\n`);
    if (run.state === "diverged") exitCode = EXIT.diverged;
    if (isDone) continue;
    const trained = await trainRun(run.prepared, { ...options, save: [] }, context);
    if ("exitCode" in trained) return trained.exitCode;
    const code = announceStop(trained, config, context, "Give the same command again to go on.");
    if (code === EXIT.interrupted) return code;
    if (code !== EXIT.ok) exitCode = code;
  }
  const stored: StoredRun[] = [];
  for (const { path } of planned) stored.push(await readRunFolder(path));
  const document = await present(stored, options, out, context.version);
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : staircasesTable(document));
  return exitCode;
}

interface PlannedRun {
  readonly config: RunConfig;
  readonly path: string;
}

/** All configurations are resolved before the first run: a faulty `--set` is said at once. Seed by seed, so that columns stay methods. */
async function plannedRuns(options: StaircasesOptions, out: string, context: CommandContext): Promise<PlannedRun[]> {
  const planned: PlannedRun[] = [];
  for (let seed = 0; seed < options.seeds; seed++) {
    for (const method of METHODS) {
      const preset = `${options.size}-${method}`;
      const config = await resolveConfig({ preset, set: options.set, seed }, context.presets, context.cwd);
      planned.push({ config, path: join(out, `${preset}-seed${seed}`) });
    }
  }
  return planned;
}

interface FoundRun {
  readonly prepared: PreparedRun;
  readonly state: RunState | "new";
}

async function openedOrNew(config: RunConfig, path: string): Promise<FoundRun> {
  const entries = await readdir(path).catch(() => []);
  if (entries.length === 0) return { prepared: { config, folder: await RunFolder.at(path) }, state: "new" };
  const other = differingPath((await readRunFolder(path)).config, config);
  if (other !== undefined) {
    throw new EngineError({
      code: "RUN-OTHER-CONFIG",
      message: `${path} holds a run with another ${other}`,
      fix: "Choose another --out, or remove the folder first.",
      where: path,
    });
  }
  const opened = await openRun(path);
  return { prepared: opened, state: opened.state };
}

/** The first value in which two configurations differ; a run has written the kernels that it used into its own. */
function differingPath(stored: StoredConfig, wanted: RunConfig): string | undefined {
  const implied = Object.entries(IMPLIED_VALUES).map(([path, value]) => [path, String(value)] as const);
  const values = (config: StoredConfig) =>
    new Map([...implied, ...configRows(config).filter(([path]) => !path.startsWith("kernels."))]);
  const [a, b] = [values(stored), values({ ...wanted })];
  return [...a.keys(), ...b.keys()].find((path) => a.get(path) !== b.get(path));
}

/** Writes the figure of the first seed and the page of all runs. */
async function present(
  stored: readonly StoredRun[],
  { size }: StaircasesOptions,
  out: string,
  version: string,
): Promise<StaircasesDocument> {
  // Drawing libraries are loaded when there is something to draw.
  const { makeReport } = await import("../../report/report.ts");
  const options = { view: {}, columns: true, version };
  const html = join(out, "staircases.html");
  const svg = join(out, "staircases.svg");
  const figure = makeReport(stored.slice(0, METHODS.length), options).svgs.figure ?? "";
  await writeFiles([
    { path: html, content: makeReport(stored, options).html },
    { path: svg, content: figure },
  ]);
  return { size, out, svg, html, runs: stored.map(staircaseRow) };
}
