/** What `eigenstep eval` executes in a runtime. */
import type { DataFolder } from "../../data/byteSource.ts";
import type { Engine } from "../../device/engine.ts";
import type { NeighborOptions, ProbeOptions } from "../../evaluation/index.ts";
import type { RunSink } from "../../experiments/contract.ts";
import type { NetworkConfig } from "../../experiments/network/config.ts";
import { type EvaluationDocument, evaluateNetwork } from "../../experiments/network/evaluate.ts";

export interface EvalTask {
  readonly kind: "eval";
  readonly config: NetworkConfig;
  readonly probe: ProbeOptions;
  readonly neighbors: NeighborOptions;
  readonly hasData: boolean;
  /** Content of the run's checkpoint; travels beside the JSON. */
  readonly checkpoint: Uint8Array;
}

export function executeEval(
  engine: Engine,
  { config, checkpoint, probe, neighbors }: EvalTask,
  { sink, data }: { readonly sink: RunSink; readonly data?: DataFolder | undefined },
): Promise<EvaluationDocument> {
  const request = { config, checkpoint, probe, neighbors, data };
  return evaluateNetwork(engine, request, (text) => sink.phase(text));
}
