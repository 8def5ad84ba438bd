/** Network runs made by hand: eigenvalues that rise by the logistic law at times that are chosen, so that every number is known. */
import type { MetricsRecord, MetricValue } from "../../src/experiments/contract.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { measure } from "../../src/experiments/network/measures.ts";
import { spectrumWords } from "../../src/experiments/network/spectrumWords.ts";
import { networkPresets } from "../../src/experiments/presets.ts";

export interface MadeNetworkRun {
  readonly config: NetworkConfig;
  readonly records: readonly MetricsRecord[];
  readonly summary: Record<string, unknown>;
  /** Where each mode crosses a fifth of its plateau, in t = step + 1. */
  readonly times: readonly number[];
}

export interface StairShape {
  readonly preset?: string;
  readonly seed?: number;
  readonly steps?: number;
  /** step + 1 at which each mode has risen by half. */
  readonly centres?: readonly number[];
  /** Eigenvalues that never rise. */
  readonly quiet?: number;
  readonly extra?: (step: number) => Readonly<Record<string, MetricValue>>;
  /** Clock of the records; by default the learning rate times the step. */
  readonly clock?: (step: number) => number;
}

/** Rate of the logistic law: it rises from 1 % to a half in 23 steps. */
const RATE = 0.2;

export function makeNetworkRun(shape: StairShape = {}): MadeNetworkRun {
  const { preset = "tiny-barlow", seed = 0, steps = 600, centres = [80, 160, 260, 360, 450], quiet = 2 } = shape;
  const config = { ...networkPresets[preset]!, seed, steps };
  const clock = shape.clock ?? ((step) => step * config.optimizer.learningRate);
  const records = Array.from({ length: steps + 1 }, (_, step): MetricsRecord => {
    const risen = centres.map((centre) => 1 / (1 + Math.exp(-RATE * (step + 1 - centre))));
    const spectrum = [...risen, ...Array.from({ length: quiet }, (_, index) => 1e-6 / (index + 1))];
    const loss = spectrum.reduce((sum, value) => sum + (1 - value) ** 2, 0);
    return { step, t: clock(step), loss, spectrum, ...(shape.extra ? { extra: shape.extra(step) } : {}) };
  });
  return {
    config,
    records,
    times: centres.map((centre) => centre - Math.log(4) / RATE),
    summary: {
      preset,
      steps,
      seed,
      adapter: { vendor: "acme", architecture: "test", device: "", description: "", isSoftware: true },
      loss: { first: records[0]!.loss, last: records.at(-1)!.loss },
      theory: {},
      measured: { parameters: 5172, ...measure(records, spectrumWords(config)) },
      wallMs: 1000,
      runtime: "node",
      version: "0.1.0",
    },
  };
}
