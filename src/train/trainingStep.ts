/**
 * One training step as a plan: loss, backward, optimiser, spectrum and bookkeeping in two programs, `update` and `record`, and whatever an
 * experiment measures now and then in programs of its own.
 */
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { concat, reshape } from "../autodiff/functions.ts";
import type { Graph, Node, Tensor } from "../autodiff/graph.ts";
import { type Plan, planTotals, type Variant } from "../autodiff/plan.ts";
import { planGraph } from "../autodiff/planner.ts";
import type { AdapterDescription } from "../device/adapter.ts";
import type { Engine } from "../device/engine.ts";
import type { MatmulFamily, Target } from "../ops/opDefinition.ts";
import { metricsRecordOp, noteNonfiniteOp, stepAdvanceOp } from "../ops/update.ts";
import { type OptimizerConfig, optimizer } from "../optim/optimizer.ts";
import { STEP_STATE_WORDS } from "./stepState.ts";

/** What a model gives a training step. */
export interface Objective {
  /** One number, which training minimises. */
  readonly loss: Tensor;
  /** Eigenvalues to record, [d]. */
  readonly spectrum: Tensor;
  /** The loss to record, of a fixed probe batch; `loss` itself unless given. */
  readonly recordedLoss?: Tensor;
  /** Further numbers of a record, by name. */
  readonly extras?: Readonly<Record<string, Tensor>>;
}

export interface TrainingStepOptions {
  /** Plain gradient descent with this momentum; see `optimizer` for everything else. */
  readonly momentum?: number;
  readonly optimizer?: OptimizerConfig;
  /** Records that fit the metrics ring: the most records of one submit. */
  readonly ringCapacity: number;
  /** The graph's step state, when the objective already depends on it; made here unless given. */
  readonly stepState?: Tensor;
  /**
   * Further programs by name: nodes that were added before, so that they see the state a step starts from, and write what they find into
   * states. Those named here run only when asked for (`ReplayOptions.occasional`).
   */
  readonly programs?: Readonly<Record<string, readonly Node[]>>;
  /** Adds what a step updates in place after the parameters, such as moving averages; returns its nodes. */
  readonly afterUpdate?: (stepState: Tensor) => readonly Node[];
}

/** Records that one read-back may carry. */
export const DEFAULT_RING_CAPACITY = 256;

/** A named run of numbers in a record, after its spectrum. */
export interface RecordedExtra {
  readonly name: string;
  readonly elements: number;
}

export interface TrainingStep {
  readonly graph: Graph;
  readonly spectrumLength: number;
  readonly extras: readonly RecordedExtra[];
  readonly ringCapacity: number;
  readonly programs: { readonly update: readonly Node[]; readonly record: readonly Node[] } & Readonly<
    Record<string, readonly Node[]>
  >;
  readonly gradients: Tensor;
  /** Tables of the optimiser: what `compileTrainingStep` writes into input buffers once. */
  readonly inputs: Readonly<Record<string, Uint32Array<ArrayBuffer>>>;
  /** State buffers of the optimiser, laid out like the parameters. */
  readonly optimizerState: readonly string[];
}

/** The buffer that drives a replayed step (src/train/stepState.ts), as a tensor. */
export function stepStateTensor(graph: Graph): Tensor {
  return graph.state("stepState", [STEP_STATE_WORDS], "u32");
}

/** Adds backward, optimiser, counters and metrics to a graph that already has its objective. */
export function trainingStep(graph: Graph, objective: Objective, options: TrainingStepOptions): TrainingStep {
  const { loss, spectrum, recordedLoss = loss } = objective;
  const stepState = options.stepState ?? stepStateTensor(graph);
  const extras = Object.entries(objective.extras ?? {});
  const parts = [spectrum, ...extras.map(([, tensor]) => tensor)].map((x) => reshape(x, [x.elements]));
  const row = extras.length === 0 ? spectrum : concat(parts);
  const ring = graph.state("metricsRing", [options.ringCapacity, 1 + row.elements]);
  // Recording comes before the update: a record is of the state the step started from.
  const record = lastNode(graph, () => graph.add(metricsRecordOp, [recordedLoss, row, ring, stepState], {}));
  const config = options.optimizer ?? { kind: "sgd", momentum: options.momentum ?? 0 };
  const { node: update, gradients, inputs, state } = optimizer(graph, loss, stepState, config);
  const after = options.afterUpdate?.(stepState) ?? [];
  const advance = lastNode(graph, () => graph.add(stepAdvanceOp, [loss, stepState], {}));
  return {
    graph,
    spectrumLength: spectrum.elements,
    extras: extras.map(([name, { elements }]) => ({ name, elements })),
    ringCapacity: options.ringCapacity,
    programs: { ...options.programs, update: [update, ...after, advance], record: [record] },
    gradients,
    inputs,
    optimizerState: state,
  };
}

/**
 * Adds what stops a run whose loss does not show that it diverged: where a ReLU turns NaN into 0, parameters and running averages still do.
 * Give its node last in `afterUpdate`.
 *
 * @param averages name of the state that holds running averages of a step's activations, where the graph has one
 */
export function noteNonfinite(graph: Graph, stepState: Tensor, averages?: string): Node {
  const running = graph.leaves.filter(({ leaf, name }) => leaf?.role === "state" && name === averages);
  const inputs = [graph.allParameters(), stepState, ...running];
  return lastNode(graph, () => graph.add(noteNonfiniteOp, inputs, { hasAverages: running.length > 0 }));
}

function lastNode(graph: Graph, add: () => unknown): Node {
  add();
  const node = graph.nodes.at(-1);
  if (!node) throw new Error("unreachable: the node was just added");
  return node;
}

/**
 * The kernels suited to a device: the register family on software adapters, the workgroup family on GPUs, unless fixed.
 *
 * @param adapter what `engine.adapter` says, or whether it is software, for a device without features
 */
export function targetOf(
  adapter: boolean | Pick<AdapterDescription, "isSoftware" | "features">,
  family: MatmulFamily | "auto" = "auto",
): Target {
  const { isSoftware, features } = typeof adapter === "boolean" ? { isSoftware: adapter, features: [] } : adapter;
  const matmulFamily = family === "auto" ? (isSoftware ? "register" : "workgroup") : family;
  return { isSoftware, matmulFamily, ...(features.includes("subgroups") ? { hasSubgroups: true } : {}) };
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

/**
 * @param external input buffers made elsewhere, by name
 * @param inputs   what is written into input buffers once: `TrainingStep.inputs`
 */
export async function compileTrainingStep(
  engine: Engine,
  plan: Plan,
  external: Readonly<Record<string, GPUBuffer>>,
  inputs: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>> = {},
): Promise<CompiledPlan> {
  const compiled = await CompiledPlan.compile(engine, plan, external);
  for (const [name, data] of Object.entries(inputs)) compiled.write(name, data);
  return compiled;
}
