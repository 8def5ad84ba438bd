/** What a measured network says, on the CPU in float64: correlations with latents, selectivities, alignment with a_μ, effective ranks. */

import { flatLayout, type ParameterSpec } from "../../nn/spec.ts";
import { MOMENTS } from "../../ops/latentMeasures.ts";
import { effectiveRank } from "../../spectrum/index.ts";
import {
  cosine,
  firstChildOf,
  gapDeviation,
  type LatentTree,
  largestOfNormals,
  latentCount,
  nodesOfLevel,
  rankOneLaw,
  symmetricEigen,
} from "../../theory/index.ts";

/** A measurement as it comes off the GPU; levels from the lowest up. */
export interface RawMeasure {
  /** [trials, nodes·width, 8] of each level, as shaders/hltm/latent_moments.wgsl has them. */
  readonly moments: readonly Float32Array[];
  /** Var z_0 times the operator's norm, [trials, nodes] of each level. */
  readonly operatorNorms: readonly Float32Array[];
  /** Laid out like the parameter buffer. */
  readonly parameters: Float32Array<ArrayBuffer>;
}

/** Statistics of a unit with its latent. */
export interface UnitStatistics {
  /** |Pearson| of the pre-activation with the latent. */
  readonly correlation: number;
  /** E[p | z = 1] − E[p | z = 0] of the pre-activation. */
  readonly gap: number;
  /** (E[a | z = 1] − E[a | z = 0])/2 of the activation max(p, 0). */
  readonly selectivity: number;
}

/** Below this, covariance and deviations count as zero (luckmatters/common_utils). */
const CORRELATION_FLOOR = 1e-6;

/** From the accumulated sums (c, Σd, Σd², Σzd, Σa, Σza, Σz, n), d = p − c. */
export function unitStatistics(moments: ArrayLike<number>, offset = 0): UnitStatistics {
  const at = (index: number): number => moments[offset + index] as number;
  const n = at(7);
  const ones = at(6);
  const meanZ = ones / n;
  const meanD = at(1) / n;
  const covariance = at(3) / n - meanZ * meanD;
  const varianceZ = meanZ * (1 - meanZ);
  const deviations = Math.sqrt(Math.max(0, at(2) / n - meanD * meanD) * varianceZ);
  const isConstant = Math.abs(covariance) < CORRELATION_FLOOR && deviations < CORRELATION_FLOOR;
  const ratio = Math.abs(covariance) / deviations;
  return {
    correlation: isConstant ? 0 : Math.min(1, ratio),
    gap: varianceZ > 0 ? covariance / varianceZ : 0,
    selectivity: ones > 0 && ones < n ? 0.5 * (at(5) / ones - (at(4) - at(5)) / (n - ones)) : 0,
  };
}

/** Names of what is measured by level. */
export const LEVEL_MEASURES = [
  "correlation",
  "operatorNorm",
  "weightNorm",
  "alignment",
  "effectiveRank",
  "bestGap",
] as const;
export type LevelMeasure = (typeof LEVEL_MEASURES)[number];

/**
 * Means over the nodes of every level of one trial, the root's level first.
 *   `correlation`    of the best unit of a node with its latent
 *   `operatorNorm`   ‖V_{z_0}[E[K | z_0]]‖_F of a node's weights
 *   `weightNorm`     ‖W_μ‖_F without the bias
 *   `alignment`      |cos| between a row of W_μ and a_μ, mean over rows
 *   `effectiveRank`  exp of the entropy of the eigenvalues of W_μ W_μᵀ
 *   `bestGap`        largest |gap| of a node's units, over what the best of as many random ones is expected to have
 */
export type LevelValues = Readonly<Record<LevelMeasure, readonly number[]>>;

/** What the measures need to know of a cell. */
export interface MeasureContext {
  readonly trees: readonly LatentTree[];
  readonly parameters: readonly ParameterSpec[];
}

/** One entry for each trial. */
export function levelValues(raw: RawMeasure, { trees, parameters }: MeasureContext): readonly LevelValues[] {
  const { offsets } = flatLayout(parameters);
  const typicalBest = largestOfNormals(parameters[0]?.shape[2] ?? 1);
  return trees.map((tree, trial) => {
    const selectivities: (readonly number[])[] = [];
    const levels = parameters.map(({ shape }, index) => {
      const [, nodes = 0, width = 0, columns = 0] = shape;
      const moments = raw.moments[index] ?? new Float32Array(0);
      const units = Array.from({ length: nodes * width }, (_, unit) =>
        unitStatistics(moments, (trial * nodes * width + unit) * MOMENTS),
      );
      const below = selectivities.at(-1);
      selectivities.push(units.map(({ selectivity }) => selectivity));
      const { first } = nodesOfLevel(tree, index + 1);
      const norms = raw.operatorNorms[index] ?? new Float32Array(0);
      const start = (offsets[index] ?? 0) + trial * nodes * width * columns;
      return averaged(nodes, (node) => {
        const own = units.slice(node * width, (node + 1) * width);
        const weights = rowsOf(raw.parameters, start + node * width * columns, width, columns);
        const { direction } = rankOneLaw(tree, first + node, childSelectivities(tree, first + node, index, below));
        return {
          correlation: Math.max(...own.map(({ correlation }) => correlation)),
          operatorNorm: (norms[trial * nodes + node] ?? Number.NaN) / (tree.prior * (1 - tree.prior)),
          ...weightMeasures(weights, direction),
          bestGap: bestGap(own, direction, columns - 1) / typicalBest,
        };
      });
    });
    const rootFirst = [...levels].reverse();
    return Object.fromEntries(
      LEVEL_MEASURES.map((name) => [name, rootFirst.map((level) => level[name])]),
    ) as unknown as LevelValues;
  });
}

/** For each trial the |correlation| of every latent with the best unit of its node, by the latent's number, the root's first. */
export function nodeCorrelations(raw: RawMeasure, { trees, parameters }: MeasureContext): readonly Float64Array[] {
  return trees.map((tree, trial) => {
    const best = new Float64Array(latentCount(tree));
    parameters.forEach(({ shape }, index) => {
      const [, nodes = 0, width = 0] = shape;
      const { first } = nodesOfLevel(tree, index + 1);
      const moments = raw.moments[index] ?? new Float32Array(0);
      for (let node = 0; node < nodes; node++) {
        const units = Array.from({ length: width }, (_, unit) => ((trial * nodes + node) * width + unit) * MOMENTS);
        best[first + node] = Math.max(...units.map((offset) => unitStatistics(moments, offset).correlation));
      }
    });
    return best;
  });
}

type NodeValues = Readonly<Record<LevelMeasure, number>>;

function averaged(nodes: number, valuesOf: (node: number) => NodeValues): NodeValues {
  const all = Array.from({ length: nodes }, (_, node) => valuesOf(node));
  const mean = (name: LevelMeasure): number => all.reduce((sum, values) => sum + values[name], 0) / nodes;
  return Object.fromEntries(LEVEL_MEASURES.map((name) => [name, mean(name)])) as unknown as NodeValues;
}

/** The rows of a node's weights, without their biases. */
function rowsOf(parameters: Float32Array, start: number, width: number, columns: number): Float64Array[] {
  return Array.from({ length: width }, (_, row) =>
    Float64Array.from(parameters.subarray(start + row * columns, start + (row + 1) * columns - 1)),
  );
}

/** Selectivities of what enters a node: a leaf, 0 or 1, has 1/2. */
function childSelectivities(
  tree: LatentTree,
  node: number,
  index: number,
  below: readonly number[] | undefined,
): readonly number[] {
  if (!below) return new Array<number>(tree.branching).fill(0.5);
  const range = nodesOfLevel(tree, index);
  const width = below.length / range.count;
  const start = (firstChildOf(tree, node) - range.first) * width;
  return below.slice(start, start + tree.branching * width);
}

function weightMeasures(rows: readonly Float64Array[], direction: Float64Array) {
  const n = rows.length;
  const product = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
  const gram = Float64Array.from({ length: n * n }, (_, at) =>
    product(rows[Math.floor(at / n)] as Float64Array, rows[at % n] as Float64Array),
  );
  const eigenvalues = gram.every(Number.isFinite)
    ? Array.from(symmetricEigen(gram, n).values, (value) => Math.max(0, value))
    : [];
  return {
    weightNorm: Math.sqrt(rows.reduce((sum, row) => sum + product(row, row), 0)),
    alignment: rows.reduce((sum, row) => sum + Math.abs(cosine(row, direction)), 0) / n,
    effectiveRank: eigenvalues.some((value) => value > 0) ? effectiveRank(eigenvalues) : Number.NaN,
  };
}

/**
 * The largest gap of a node's units over the deviation of a random one's, with weights U(±1/√fan_in). 0 where nothing that enters the
 * node depends on its latent.
 */
function bestGap(units: readonly UnitStatistics[], direction: Float64Array, fanIn: number): number {
  const deviation = gapDeviation(direction, 1 / (3 * fanIn));
  const largest = Math.max(...units.map(({ gap }) => Math.abs(gap)));
  return deviation > 0 ? largest / deviation : 0;
}

/** Mean and sample standard deviation (n − 1) over trials. */
export interface Spread {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export function spreadOver(trials: readonly (readonly number[])[]): Spread {
  const n = trials.length;
  const levels = trials[0]?.length ?? 0;
  const mean = Array.from(
    { length: levels },
    (_, level) => trials.reduce((sum, trial) => sum + (trial[level] ?? 0), 0) / n,
  );
  const std = mean.map((center, level) =>
    n > 1 ? Math.sqrt(trials.reduce((sum, trial) => sum + ((trial[level] ?? 0) - center) ** 2, 0) / (n - 1)) : 0,
  );
  return { mean, std };
}
