/** What the page and its worker say to each other. */
import type { AdapterDescription } from "../../src/device/adapter.ts";
import type { EngineErrorInit } from "../../src/errors.ts";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import type { LinearTheory } from "../../src/theory/index.ts";

/** Page to worker. Commands before `ready` wait for it. */
export type Command =
  /** Give up the present run and prepare this one; `generation` marks everything that belongs to it. */
  | { readonly type: "prepare"; readonly generation: number; readonly config: LinearConfig }
  /** Train on up to this step. */
  | { readonly type: "run"; readonly until: number }
  | { readonly type: "pause" }
  | { readonly type: "step" }
  /** Back to step 0 with the same weights. */
  | { readonly type: "reset"; readonly generation: number }
  /** Steps a second; Infinity is as fast as it goes. */
  | { readonly type: "rate"; readonly stepsPerSecond: number };

export type RunState = "paused" | "running" | "finished" | "diverged";

/** What is known before the training step is compiled. */
export interface RunFacts {
  readonly adapter: AdapterDescription;
  readonly theory: LinearTheory;
  /** Updates after which the last step that theory predicts is over. */
  readonly horizon: number;
  /** Plan and memory in a line. */
  readonly description: string;
}

/** Consecutive records, as arrays that are handed over rather than copied. */
export interface RecordBatch {
  readonly firstStep: number;
  readonly losses: Float32Array<ArrayBuffer>;
  /** [records, d], each descending. */
  readonly spectra: Float32Array<ArrayBuffer>;
}

/** Worker to page. */
export type Report =
  | { readonly type: "phase"; readonly generation: number; readonly text: string }
  | { readonly type: "predicted"; readonly generation: number; readonly facts: RunFacts }
  | { readonly type: "ready"; readonly generation: number; readonly gpuBytes: number }
  | ({ readonly type: "records"; readonly generation: number } & RecordBatch)
  | { readonly type: "state"; readonly generation: number; readonly state: RunState }
  /** The run was not prepared, or ended: faulty settings, data, or a device that is gone. */
  | { readonly type: "failed"; readonly generation: number; readonly error: EngineErrorInit };
