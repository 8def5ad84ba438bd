/** What all optimisers share: the flat gradient, the tables as inputs of the graph, the numbers of an update. */
import { pack } from "../autodiff/functions.ts";
import { grad } from "../autodiff/grad.ts";
import type { Graph, Node, Tensor } from "../autodiff/graph.ts";
import { operand } from "../ops/opDefinition.ts";
import { type OptimizerFactorsAttributes, optimizerFactorsOp, segmentNormsOp } from "../ops/optimisers.ts";
import { optimizerError } from "./optimizerError.ts";
import { type Schedule, scheduleAttributes } from "./schedule.ts";
import {
  type Exclusions,
  type ParameterGroup,
  type SegmentOptions,
  segmentOptions,
  segmentTables,
} from "./segments.ts";

export interface OptimizerUpdate {
  /** The update's node, a root of the program that trains. */
  readonly node: Node;
  /** All gradients in one tensor, laid out like the parameters; keep it in a buffer of its own, whose gaps stay zero. */
  readonly gradients: Tensor;
  /** What the host writes into the plan's input buffers of these names, once, before the first step. */
  readonly inputs: Readonly<Record<string, Uint32Array<ArrayBuffer>>>;
  /** Buffers laid out like the parameters that a checkpoint must keep. */
  readonly state: readonly string[];
}

/** Options of every optimiser. */
export interface OptimizerOptions {
  /** `constant` unless given: the learning rate of the step state. */
  readonly schedule?: Schedule;
  /** 0 unless given. */
  readonly weightDecay?: number;
  readonly exclude?: Exclusions;
  readonly groups?: readonly ParameterGroup[];
}

/** Clipping by the norm of all gradients together. */
export interface ClipOptions {
  /** g ← g·min(1, clipNorm/(‖g‖ + 1e-6)), as PyTorch's clip_grad_norm_; no clipping unless given. */
  readonly clipNorm?: number;
}

/** Derivatives of `loss` for all parameters of the graph, in one tensor laid out like them. */
export function flatGradients(graph: Graph, loss: Tensor): Tensor {
  const parameters = graph.leaves.filter((leaf) => leaf.leaf?.role === "parameter");
  if (parameters.length === 0) {
    throw optimizerError("parameters", "the graph has no parameters", "Make them with graph.parameter first.");
  }
  return pack(
    graph,
    grad(loss, parameters),
    graph.segments.map((segment) => segment.offset),
    [graph.parameterElements],
  );
}

/** The last node that was added. */
export function lastNode(graph: Graph): Node {
  const node = graph.nodes.at(-1);
  if (!node) throw new Error("unreachable: a node was just added");
  return node;
}

interface FactorsRequest {
  readonly rule: OptimizerFactorsAttributes["rule"];
  readonly options: OptimizerOptions & ClipOptions;
  readonly eta?: number;
  readonly betas?: readonly [number, number];
  readonly isDecoupled?: boolean;
  /** Changes the segments' numbers after groups and exclusions. */
  readonly adjust?: (segment: SegmentOptions) => SegmentOptions;
}

export interface Factors {
  readonly gradients: Tensor;
  /** f32[segments, 4] of optimizer_factors. */
  readonly factors: Tensor;
  /** u32[parameterElements/64]. */
  readonly blocks: Tensor;
  readonly inputs: OptimizerUpdate["inputs"];
}

/** Names of the input buffers that hold the tables. */
const TABLES = { segments: "optimizer.segments", blocks: "optimizer.blocks", chunks: "optimizer.chunks" } as const;

/** Adds gradients, norms where the rule or clipping needs them, and the numbers of the update: one dispatch, or two. */
export function addFactors(graph: Graph, loss: Tensor, stepState: Tensor, request: FactorsRequest): Factors {
  const { rule, options, eta = 0, betas = [0.9, 0.999], isDecoupled = false } = request;
  const { clipNorm } = options;
  if (clipNorm !== undefined && !(clipNorm > 0)) {
    throw optimizerError("clipNorm", `clipNorm is ${clipNorm}`, "Give a positive norm, or none.");
  }
  const schedule = scheduleAttributes(options.schedule ?? { kind: "constant" });
  const { weightDecay = 0, exclude = {}, groups = [] } = options;
  const numbers = segmentOptions(graph.segments, weightDecay, exclude, groups);
  const tables = segmentTables(
    graph.segments,
    request.adjust ? numbers.map(request.adjust) : numbers,
    graph.parameterElements,
  );
  const gradients = flatGradients(graph, loss);
  const table = (name: keyof typeof TABLES, words: number): Tensor =>
    graph.input(TABLES[name], [tables[name].length / words, words], "u32");
  return graph.scope("optimizer", () => {
    const segments = table("segments", 8);
    const blocks = table("blocks", 1);
    const inputs: Record<string, Uint32Array<ArrayBuffer>> = {
      [TABLES.segments]: tables.segments,
      [TABLES.blocks]: tables.blocks,
    };
    const needsNorms = clipNorm !== undefined || rule.startsWith("lars");
    const partials: Tensor[] = [];
    if (needsNorms) {
      inputs[TABLES.chunks] = tables.chunks;
      const isNormOfSum = rule === "larsNormOfSum";
      const operands = [table("chunks", 4), segments, gradients, graph.allParameters()];
      partials.push(...graph.add(segmentNormsOp, operands, { isNormOfSum }));
    }
    const attributes = { rule, schedule, clipNorm, eta, beta1: betas[0], beta2: betas[1], isDecoupled };
    const factors = operand(graph.add(optimizerFactorsOp, [stepState, segments, ...partials], attributes), 0);
    return { gradients, factors, blocks, inputs };
  });
}
