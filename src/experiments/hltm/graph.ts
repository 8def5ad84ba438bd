/** The graphs of an HLTM cell: the training step, and what measures the network between epochs. Both share the parameters. */

import { constant, reshape, slice, sum } from "../../autodiff/functions.ts";
import { Graph, type Node, type Tensor } from "../../autodiff/graph.ts";
import { batchContrast, type LocalLayer, latentMoments, rootOperators, treeSamples } from "../../autodiff/hltm.ts";
import { l2Normalize } from "../../autodiff/ssl.ts";
import { RandomStream } from "../../data/index.ts";
import { ParameterScope } from "../../nn/scope.ts";
import type { ParameterSpec } from "../../nn/spec.ts";
import { type TreeNetwork, treeNetwork } from "../../nn/treeNetwork.ts";
import { MOMENTS } from "../../ops/latentMeasures.ts";
import { type TreeSamplesAttributes, WORD_SAMPLES } from "../../ops/treeSamples.ts";
import { stepAdvanceOp } from "../../ops/update.ts";
import { infoNce, simpleContrastive, softTriplet } from "../../ssl/index.ts";
import { nodeCount, nodesOfLevel } from "../../theory/index.ts";
import { DEFAULT_RING_CAPACITY, stepStateTensor, type TrainingStep, trainingStep } from "../../train/trainingStep.ts";
import type { HltmCell } from "./cells.ts";
import type { HltmConfig, HltmLoss } from "./config.ts";

/** Names of the plans' input buffers. */
export const SEEDS = "seeds";
export const THRESHOLDS = "thresholds";

/** Added to the norm that outputs are divided by (luckmatters/ssl/hltm). */
const NORM_EPSILON = 1e-4;

/** Views of a triplet: sample, positive, negative. */
const VIEWS = 3;

export interface HltmStep {
  readonly step: TrainingStep;
  readonly parameters: readonly ParameterSpec[];
}

function source(graph: Graph, config: HltmConfig) {
  const nodes = nodeCount(config.tree);
  return {
    stepState: stepStateTensor(graph),
    seeds: graph.input(SEEDS, [config.seeds], "u32"),
    thresholds: graph.input(THRESHOLDS, [config.seeds, nodes, 2], "u32"),
  };
}

function sampling({ tree, data }: HltmConfig): Pick<TreeSamplesAttributes, "branching" | "leaves" | "negatives"> {
  return { branching: tree.branching, leaves: nodesOfLevel(tree, 0).count, negatives: data.negatives };
}

/** The training step: new triplets, both passes, descent. Its loss is the sum over the seeds, so that each is trained as if alone. */
export function trainingGraph(config: HltmConfig, cell: HltmCell): HltmStep {
  const graph = new Graph();
  const inputs = source(graph, config);
  const scope = ParameterScope.create(graph);
  const { leaves } = graph.scope("samples", () =>
    treeSamples(inputs, {
      ...sampling(config),
      views: VIEWS,
      rows: config.data.batch,
      stream: RandomStream.treeTraining,
      withLatents: false,
    }),
  );
  const network = treeNetwork(scope, leaves, { ...config.tree, width: cell.width });
  const output = network.preActivations.at(-1) as Tensor;
  const { loss, losses } = graph.scope("loss", () =>
    contrast(l2Normalize(output, { form: "outside", epsilon: NORM_EPSILON }), config.loss),
  );
  const step = trainingStep(
    graph,
    { loss, spectrum: losses },
    { momentum: 0, ringCapacity: DEFAULT_RING_CAPACITY, stepState: inputs.stepState },
  );
  return { step, parameters: scope.spec().parameters };
}

/**
 * @param z normalised outputs [3, trials, batch, width]
 * @returns the sum of the losses of all trials, and each trial's where the form knows them (else the sum again)
 */
function contrast(z: Tensor, config: HltmLoss): { readonly loss: Tensor; readonly losses: Tensor } {
  const [, trials = 1, batch = 1, width = 1] = z.shape;
  if (config.kind === "batchSigmoid" || config.kind === "batchDifference") {
    const losses = batchContrast(z, config.kind === "batchSigmoid" ? config.temperature : undefined);
    return { loss: sum(losses), losses };
  }
  const view = (index: number): Tensor => reshape(slice(z, index, index + 1), [trials * batch, width]);
  const triplet = [view(0), view(1), view(2)] as const;
  const loss = perSample(triplet, config, trials);
  return { loss, losses: loss };
}

/** The sum of the means over each trial's samples. */
function perSample(
  [anchor, positive, negative]: readonly [Tensor, Tensor, Tensor],
  config: HltmLoss,
  trials: number,
): Tensor {
  switch (config.kind) {
    case "infoNce":
      return infoNce(anchor, positive, negative, { ...config, groups: trials });
    case "softTriplet":
      return softTriplet(anchor, positive, negative, { ...config, groups: trials });
    default:
      return simpleContrastive(anchor, positive, negative, { groups: trials });
  }
}

export interface MeasureShape {
  /** Samples of one dispatch, a multiple of 32, and dispatches of a measurement. */
  readonly rows: number;
  readonly dispatches: number;
  /** Samples for operator norms, a multiple of 32. */
  readonly operatorRows: number;
}

/** Bytes of a trial's largest activations in a measuring dispatch: those of ten trials stay in a CPU's caches. */
const MEASURE_BYTES = 400 * 2 ** 10;
/** Bytes of a trial's largest tensor in the operators' backward pass, and of all trials' together. */
const OPERATOR_BYTES = 8 * 2 ** 20;
const ALL_OPERATOR_BYTES = 96 * 2 ** 20;

/**
 * Sizes of measurements. They depend on one trial alone, so that a seed is measured on the same samples whatever runs beside it; only the
 * operators of more than a dozen trials share what memory there is.
 */
export function measureShape({ tree, seeds, record }: HltmConfig, { width }: HltmCell): MeasureShape {
  const leaves = nodesOfLevel(tree, 0).count;
  const widest = Math.max(leaves, (leaves / tree.branching) * width);
  const multiple = (samples: number, round: (x: number) => number): number =>
    Math.max(1, round(samples / WORD_SAMPLES)) * WORD_SAMPLES;
  const most = multiple(MEASURE_BYTES / (4 * widest), Math.floor);
  const dispatches = Math.ceil(record.samples / most);
  const operatorBytes = Math.min(OPERATOR_BYTES, ALL_OPERATOR_BYTES / seeds);
  const mostOperator = multiple(operatorBytes / (4 * widest * width), Math.floor);
  return {
    rows: multiple(record.samples / dispatches, Math.ceil),
    dispatches,
    operatorRows: Math.min(mostOperator, multiple(record.operatorSamples, Math.ceil)),
  };
}

export interface HltmMeasure {
  readonly graph: Graph;
  /** `measure` runs `dispatches` times; `operators` once. */
  readonly programs: { readonly measure: readonly Node[]; readonly operators: readonly Tensor[] };
  /** State of each level's moments, from the lowest up, and the outputs with its operator norms. */
  readonly moments: readonly string[];
  readonly operators: Readonly<Record<string, Tensor>>;
}

/** What measures the network: moments of all pre-activations with their latents, and the norms of the covariance operators. */
export function measureGraph(config: HltmConfig, cell: HltmCell, shape: MeasureShape): HltmMeasure {
  const graph = new Graph();
  const { tree, seeds } = config;
  const inputs = source(graph, config);
  const { stepState } = inputs;
  const scope = ParameterScope.create(graph);
  const networkOn = (name: string, rows: number, stream: number): { network: TreeNetwork; latents: Tensor } =>
    graph.scope(name, () => {
      const samples = treeSamples(inputs, { ...sampling(config), views: 1, rows, stream, withLatents: true });
      const network = treeNetwork(scope, samples.leaves, { ...tree, width: cell.width });
      return { network, latents: samples.latents as Tensor };
    });

  const measured = networkOn("measure", shape.rows, RandomStream.treeMeasure);
  const moments = measured.network.preActivations.map((preActivations, index) => {
    const { first, count } = nodesOfLevel(tree, index + 1);
    const name = `moments${index + 1}`;
    const state = graph.state(name, [seeds, count * cell.width, MOMENTS]);
    const tensors = { stepState, preActivations, latents: measured.latents, moments: state };
    return { name, node: latentMoments(tensors, { first, nodes: count, dispatches: shape.dispatches }) };
  });
  graph.add(stepAdvanceOp, [constant(graph, [1], 0), stepState], {});
  const advance = graph.nodes.at(-1) as Node;

  const probed = networkOn("operators", shape.operatorRows, RandomStream.treeOperator);
  const norms = graph.scope("operators", () => rootOperators(probed.network.layers as LocalLayer[], probed.latents));
  return {
    graph,
    programs: { measure: [...moments.map(({ node }) => node), advance], operators: norms },
    moments: moments.map(({ name }) => name),
    operators: Object.fromEntries(norms.map((norm, index) => [`operatorNorm${index + 1}`, norm])),
  };
}
