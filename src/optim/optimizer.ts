/** Optimisers by name, as a configuration chooses them. */
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { type AdamOptions, adam, adamw } from "./adam.ts";
import { type LarsOptions, lars } from "./lars.ts";
import { type SgdOptions, sgd } from "./sgd.ts";
import type { OptimizerUpdate } from "./update.ts";

export type OptimizerConfig =
  | ({ readonly kind: "sgd" } & SgdOptions)
  | ({ readonly kind: "adam" | "adamw" } & AdamOptions)
  | ({ readonly kind: "lars" } & LarsOptions);

/** Adds the backward graph of `loss` and the update that `config` names. @throws EngineError CONFIG-OPTIMIZER */
export function optimizer(graph: Graph, loss: Tensor, stepState: Tensor, config: OptimizerConfig): OptimizerUpdate {
  switch (config.kind) {
    case "sgd":
      return sgd(graph, loss, stepState, config);
    case "adam":
      return adam(graph, loss, stepState, config);
    case "adamw":
      return adamw(graph, loss, stepState, config);
    case "lars":
      return lars(graph, loss, stepState, config);
  }
}
