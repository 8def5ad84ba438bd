/** What the page and its worker say to each other. */
import type { AdapterDescription } from "../../src/device/adapter.ts";
import type { EngineErrorInit } from "../../src/errors.ts";
import type { HltmConfig } from "../../src/experiments/hltm/config.ts";

/** Page to worker. Commands before `ready` wait for it. */
export type Command =
  /** Give up the present run and prepare this one; `generation` marks everything that belongs to it. */
  | { readonly type: "prepare"; readonly generation: number; readonly config: HltmConfig }
  | { readonly type: "run" }
  | { readonly type: "pause" }
  /** One update, and a look at the network. */
  | { readonly type: "step" };

export type RunState = "paused" | "running" | "finished" | "diverged";

/** The tree whose leaves the network sees; nodes as theory numbers them, the root 0. */
export interface TreeFacts {
  readonly adapter: AdapterDescription;
  /** ρ of the edge above every node but the root, by node: entry 0 belongs to node 1. */
  readonly polarities: readonly number[];
  /** By latent: the best |correlation| that any function of the leaves below it has. */
  readonly ceiling: readonly number[];
  readonly dispatches: number;
}

/** A look at the network. */
export interface Look {
  readonly step: number;
  readonly loss: number;
  /** By latent: |correlation| of the best unit of its node. */
  readonly correlations: readonly number[];
}

/** Worker to page. */
export type Report =
  | { readonly type: "phase"; readonly generation: number; readonly text: string }
  | { readonly type: "tree"; readonly generation: number; readonly facts: TreeFacts }
  | ({ readonly type: "look"; readonly generation: number } & Look)
  | { readonly type: "state"; readonly generation: number; readonly state: RunState }
  | { readonly type: "failed"; readonly generation: number; readonly error: EngineErrorInit };
