/** Records of an operator run in words and numbers: what the operator program measured, and the summary of a finished run. */
import type { LayerMeasure } from "../../dual/measures.ts";
import type { MetricsRecord, MetricValue } from "../contract.ts";
import { rankBound, widthsOf } from "./checks.ts";
import type { OperatorTrainingConfig } from "./config.ts";

type Extra = Readonly<Record<string, MetricValue>>;

/** What the next measurement needs of the one before. */
export interface GrowthState {
  readonly step: number;
  /** By layer. */
  readonly coefficients: readonly (readonly number[])[];
  readonly eigenvalues: readonly (readonly number[])[];
}

/**
 * Where the frozen operator predicts growth: under −∇W = 2·V_x[K̄]·vec(W) and plain gradient descent the coefficient along an eigenvector
 * grows by 1 + 2·learningRate·λ a step.
 */
export function predictsGrowth({ model, loss, optimizer }: OperatorTrainingConfig): boolean {
  const isTheorem = loss.pairs === "all" && loss.beta === 0;
  return isTheorem && !model.bias && !model.batchNorm && !model.normalized && optimizer.momentum === 0;
}

/**
 * Keys of a record in which the operators were measured. Layers count from 1; arrays without a layer in their name are by layer.
 *
 *   cosine, residual, gradientNorm    of −∇W_l against OP_l·vec(W_l)
 *   rank, operatorNorm, intraRatio    of V_x[K̄_l]: numerical rank, Frobenius norm, its ratio to that of E_x V_{aug|x}[K_l]
 *   operator.l                        leading eigenvalues of V_x[K̄_l]
 *   coefficients.l                    vᵀ·vec(W_l) for the leading eigenvectors v
 *   growth.l, growthPredicted.l       ln(growth) a step along the eigenvectors of the measurement before, and by the frozen operator
 */
export function extraOf(
  config: OperatorTrainingConfig,
  step: number,
  layers: readonly LayerMeasure[],
  before: GrowthState | undefined,
): Extra {
  const { eigenvalues: kept, leading } = config.operator;
  const extra: Record<string, MetricValue> = {
    cosine: layers.map(({ cosine }) => cosine),
    residual: layers.map(({ residual }) => residual),
    gradientNorm: layers.map(({ gradientNorm }) => gradientNorm),
    rank: layers.map(({ rank }) => rank),
    operatorNorm: layers.map(({ eigenvalues }) => Math.hypot(...eigenvalues)),
    ...(layers.every(({ intraRatio }) => intraRatio !== undefined)
      ? { intraRatio: layers.map(({ intraRatio = Number.NaN }) => intraRatio) }
      : {}),
  };
  layers.forEach(({ eigenvalues, coefficients, previousCoefficients }, index) => {
    const layer = index + 1;
    extra[`operator.${layer}`] = eigenvalues.slice(0, Math.max(kept, leading));
    extra[`coefficients.${layer}`] = coefficients;
    const span = step - (before?.step ?? step);
    const [earlier, values] = [before?.coefficients[index], before?.eigenvalues[index]];
    if (!earlier || !values || span <= 0) return;
    extra[`growth.${layer}`] = previousCoefficients.map((now, k) => Math.log(Math.abs(now / (earlier[k] ?? 0))) / span);
    if (predictsGrowth(config)) {
      const rate = 2 * config.optimizer.learningRate;
      extra[`growthPredicted.${layer}`] = values.slice(0, leading).map((value) => Math.log1p(rate * value));
    }
  });
  return extra;
}

/** The state after a record with measurements; the record may have been read from a file. */
export function growthAfter(record: MetricsRecord): GrowthState | undefined {
  const { step, extra = {} } = record;
  const layers = Object.keys(extra).filter((name) => name.startsWith("coefficients.")).length;
  if (layers === 0) return undefined;
  const numbers = (name: string) => Array.from({ length: layers }, (_, index) => list(extra[`${name}.${index + 1}`]));
  return { step, coefficients: numbers("coefficients"), eigenvalues: numbers("operator") };
}

/** Nine digits of a file name one f32: the same numbers as before they were written. */
function list(value: MetricValue | undefined): readonly number[] {
  return Array.isArray(value) ? value.map(Math.fround) : [];
}

/** Layer by layer over the run, plain JSON for summary.json. */
export function summarize(config: OperatorTrainingConfig, history: readonly MetricsRecord[]): Record<string, unknown> {
  const measured = history.flatMap(({ extra }) => (extra?.cosine === undefined ? [] : [extra]));
  const widths = widthsOf(config);
  const layers = widths.slice(1).map((width, index) => {
    const series = (name: string) => measured.map((extra) => entry(extra[name], index)).filter(Number.isFinite);
    const ends = (values: readonly number[]) => ({ first: values[0] ?? null, last: values.at(-1) ?? null });
    const top = measured.map((extra) => entry(extra[`operator.${index + 1}`], 0));
    const errors = measured.flatMap((extra) => growthErrors(extra, index + 1));
    return {
      layer: index + 1,
      shape: [width, widths[index]],
      cosine: { least: least(series("cosine")), last: series("cosine").at(-1) ?? null },
      residual: { largest: largest(series("residual")), last: series("residual").at(-1) ?? null },
      rank: { ...ends(series("rank")), bound: Math.min(rankBound(config), width * (widths[index] ?? 0)) },
      topEigenvalue: ends(top),
      operatorNorm: ends(series("operatorNorm")),
      ...(config.data.augmentations > 1 ? { intraRatio: ends(series("intraRatio")) } : {}),
      ...(errors.length > 0 ? { growthError: { median: median(errors), largest: largest(errors) } } : {}),
    };
  });
  const cosines = layers.map(({ cosine }) => cosine.least).filter((value) => value !== null);
  const residuals = layers.map(({ residual }) => residual.largest).filter((value) => value !== null);
  return {
    measurements: measured.length,
    convention: "both towers",
    leastCosine: least(cosines),
    largestResidual: largest(residuals),
    layers,
  };
}

function entry(value: MetricValue | undefined, index: number): number {
  return typeof value === "number" || value === undefined ? Number.NaN : (value[index] ?? Number.NaN);
}

/** |measured − predicted|/predicted of the growth rates of one record. */
function growthErrors(extra: Extra, layer: number): number[] {
  const [measured, predicted] = [extra[`growth.${layer}`], extra[`growthPredicted.${layer}`]];
  if (!Array.isArray(measured) || !Array.isArray(predicted)) return [];
  return measured
    .map((value: number, k) => Math.abs(value / (predicted[k] as number) - 1))
    .filter((error) => Number.isFinite(error));
}

const least = (values: readonly number[]): number | null => (values.length > 0 ? Math.min(...values) : null);
const largest = (values: readonly number[]): number | null => (values.length > 0 ? Math.max(...values) : null);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
