/** A run with the folder it goes to: new, or gone on with from what the folder holds. */
import { join } from "node:path";
import { parseSafetensors } from "../data/index.ts";
import type { ResumeState, RunConfig } from "../experiments/contract.ts";
import { CHECKPOINT_FILE } from "../experiments/contract.ts";
import { validateConfig } from "./config/resolve.ts";
import { RunFolder } from "./runFolder.ts";

export interface PreparedRun {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  /** Absent for a new run. */
  readonly resume?: ResumeState;
}

/** What a folder's run has come to. */
export type RunState = "complete" | "diverged" | "unfinished";

export interface OpenedRun extends PreparedRun {
  readonly resume: ResumeState;
  readonly state: RunState;
}

/**
 * The run that a folder holds, ready to be gone on with; nothing is changed yet.
 *
 * @throws EngineError RUN-NOT-A-RUN, RUN-NEWER, RUN-METRICS, RUN-OUT-UNWRITABLE, CONFIG-…, DATA-SAFETENSORS
 */
export async function openRun(path: string): Promise<OpenedRun> {
  const { folder, stored, checkpoint } = await RunFolder.resume(path);
  const config = validateConfig(stored.config, join(path, "config.json"));
  const records = checkpoint ? Number(parseSafetensors(checkpoint, CHECKPOINT_FILE).metadata.records ?? 0) : 0;
  folder.continueAfter(records);
  const resume = { records: stored.records.slice(0, records), checkpoint };
  return { config, folder, resume, state: stateOf(stored.summary) };
}

function stateOf(summary: Readonly<Record<string, unknown>> | undefined): RunState {
  if (summary === undefined) return "unfinished";
  const { stopped } = summary as { readonly stopped?: { readonly reason?: unknown } };
  if (stopped === undefined) return "complete";
  return stopped.reason === "diverged" ? "diverged" : "unfinished";
}
