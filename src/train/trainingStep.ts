/** One training step as a plan: loss, backward, optimiser, spectrum and bookkeeping in two programs, `update` and `record`. */
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Graph, Node, Tensor } from "../autodiff/graph.ts";
import { type Plan, planTotals, type Variant } from "../autodiff/plan.ts";
import { planGraph } from "../autodiff/planner.ts";
import type { Engine } from "../device/engine.ts";
import type { MatmulFamily, Target } from "../ops/opDefinition.ts";
import { metricsRecordOp, stepAdvanceOp } from "../ops/update.ts";
import { sgd } from "../optim/sgd.ts";
import { STEP_STATE_WORDS } from "./stepState.ts";

/** What a model gives a training step. */
export interface Objective {
  /** One number. */
  readonly loss: Tensor;
  /** Eigenvalues to record, [d]. */
  readonly spectrum: Tensor;
}

export interface TrainingStepOptions {
  readonly momentum: number;
  /** Records that fit the metrics ring: the most records of one submit. */
  readonly ringCapacity: number;
}

/** Records that one read-back may carry. */
export const DEFAULT_RING_CAPACITY = 256;

export interface TrainingStep {
  readonly graph: Graph;
  readonly spectrumLength: number;
  readonly ringCapacity: number;
  readonly programs: { readonly update: readonly Node[]; readonly record: readonly Node[] };
  readonly gradients: Tensor;
}

/** Adds backward, optimiser, counters and metrics to a graph that already has its objective. */
export function trainingStep(graph: Graph, objective: Objective, options: TrainingStepOptions): TrainingStep {
  const { loss, spectrum } = objective;
  const spectrumLength = spectrum.elements;
  const stepState = graph.state("stepState", [STEP_STATE_WORDS], "u32");
  const ring = graph.state("metricsRing", [options.ringCapacity, 1 + spectrumLength]);
  // Recording comes before the update: a record is of the state the step started from.
  const record = lastNode(graph, () => graph.add(metricsRecordOp, [loss, spectrum, ring, stepState], {}));
  const { node: update, gradients } = sgd(graph, loss, stepState, { momentum: options.momentum });
  const advance = lastNode(graph, () => graph.add(stepAdvanceOp, [loss, stepState], {}));
  return {
    graph,
    spectrumLength,
    ringCapacity: options.ringCapacity,
    programs: { update: [update, advance], record: [record] },
    gradients,
  };
}

function lastNode(graph: Graph, add: () => unknown): Node {
  add();
  const node = graph.nodes.at(-1);
  if (!node) throw new Error("unreachable: the node was just added");
  return node;
}

/** The kernels suited to a device: the register family on software adapters, the workgroup family on GPUs, unless fixed. */
export function targetOf(isSoftware: boolean, family: MatmulFamily | "auto" = "auto"): Target {
  return { isSoftware, matmulFamily: family === "auto" ? (isSoftware ? "register" : "workgroup") : family };
}

/** @param variants kernel variants to repeat, by the key of the dispatch (`kernelVariants` of an earlier plan) */
export function planTrainingStep(
  step: TrainingStep,
  target: Target,
  variants?: Readonly<Record<string, Variant>> | undefined,
): Plan {
  const outputs = { gradients: step.gradients };
  return planGraph({ graph: step.graph, programs: step.programs, outputs, target, variants });
}

/** Dispatches of a step with and without its record. */
export function dispatchCounts(plan: Plan): { readonly withRecord: number; readonly withoutRecord: number } {
  return {
    withRecord: planTotals(plan, ["update", "record"]).dispatches,
    withoutRecord: planTotals(plan, ["update"]).dispatches,
  };
}

/** @param external input buffers made elsewhere, by name */
export function compileTrainingStep(
  engine: Engine,
  plan: Plan,
  external: Readonly<Record<string, GPUBuffer>>,
): Promise<CompiledPlan> {
  return CompiledPlan.compile(engine, plan, external);
}
