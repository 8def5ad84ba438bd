/** Operator experiments end to end: identities hold and wrong operators fail; a network on images, measured while it trains. */
import { describe, expect, it } from "vitest";
import { validateConfig } from "../../src/cli/config/resolve.ts";
import type { MetricValue } from "../../src/experiments/contract.ts";
import { describePlan } from "../../src/experiments/experiments.ts";
import type { OperatorIdentityConfig } from "../../src/experiments/operatorIdentity/config.ts";
import type { Residual } from "../../src/experiments/operatorIdentity/findings.ts";
import { checkConfig } from "../../src/experiments/operatorTraining/checks.ts";
import type { OperatorTrainingConfig } from "../../src/experiments/operatorTraining/config.ts";
import { presets } from "../../src/experiments/presets.ts";
import { mnistFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { type FinishedRun, runToEnd } from "../support/runs.ts";

const engine = useEngine({ unrollsLoops: false });

const identity = presets["operator-identity"] as OperatorIdentityConfig;
const training = presets["operator-training"] as OperatorTrainingConfig;

/** Small enough for a software adapter within seconds: 4×4 MNIST images, two hidden layers. */
const tiny: OperatorTrainingConfig = {
  ...training,
  preset: "tiny-operator",
  steps: 12,
  data: { ...training.data, source: "mnist", images: 8, batch: 4, augmentations: 2, side: 4 },
  model: { ...training.model, hidden: [10, 8], outputs: 2 },
  optimizer: { learningRate: 0.002, momentum: 0 },
  operator: { every: 4, leading: 2, eigenvalues: 5, form: "factored" },
  record: { every: 2 },
};

const run = (config: OperatorTrainingConfig, options: Parameters<typeof runToEnd>[2] = {}) =>
  runToEnd(engine(), config, { data: mnistFolder(), save: [], ...options });

const numbers = (value: MetricValue | undefined): readonly number[] => (Array.isArray(value) ? value : []);
const measured = ({ records }: FinishedRun) => records.filter(({ extra }) => extra?.cosine !== undefined);

describe("presets", () => {
  it.each([identity, training])("$preset is a valid configuration", (config) => {
    expect(validateConfig(config, config.preset)).toEqual(config);
    if (config.kind === "operator-training") checkConfig(config);
  });

  it("operator-training: the operators are a program of the plan", () => {
    const { nodes } = describePlan(engine(), tiny);
    const programs = new Set(nodes.flatMap((node) => node.programs));
    expect([...programs].sort()).toEqual(["operator", "record", "update"]);
    const own = nodes.filter((node) => node.programs.length === 1 && node.programs[0] === "operator");
    expect(own.some(({ kernel }) => kernel === "dual/connection_gram")).toBe(true);
  });
});

describe("operator-identity", () => {
  it("every identity holds to 1e-4, every wrong operator fails", async () => {
    const config: OperatorIdentityConfig = {
      ...identity,
      steps: 1,
      model: { widths: [[4, 6, 5, 2]] },
      data: { ...identity.data, images: 4, augmentations: 2, tuples: 6 },
      loss: { ...identity.loss, negatives: [3], betas: [-0.5, 0] },
    };
    const { result, records } = await runToEnd(engine(), config, { save: [] });
    const { residuals, controls, ...verdict } = result.measured as {
      residuals: Residual[];
      controls: Residual[];
      [key: string]: unknown;
    };
    expect(verdict).toMatchObject({ holds: true, wrongOperatorsFail: true, tolerance: 1e-4, vanishingGradients: 0 });
    expect(verdict.outputIdentity).toBeLessThan(1e-6);
    // (4): three losses, two betas, with and without augmentation, two conventions, three layers; more H and betas: test/dual, test/long.
    const exact = residuals.filter(({ form }) => form === "exact");
    expect(exact).toHaveLength(3 * 2 * 2 * 2 * 3);
    expect(Math.max(...residuals.map(({ relative }) => relative))).toBeLessThan(1e-4);
    // Wrong by more than a hundred times what the right ones may be off.
    expect(Math.min(...controls.map(({ relative }) => relative))).toBeGreaterThan(1e-2);
    const wrong = new Set(controls.map((control) => control.wrong));
    expect([...wrong].sort()).toEqual([
      "augmentation ignored",
      "mean not subtracted",
      "pair weights dropped",
      "projector dropped",
      "residue dropped",
    ]);
    for (const key of ["loss", "negatives", "augmentation", "beta", "layer", "relative"]) {
      expect(residuals.every((residual) => Object.hasOwn(residual, key))).toBe(true);
    }
    expect(records.map(({ step }) => step)).toEqual([1]);
    // Compiles four plans of a thousand dispatches, for minutes where other programs have the cores.
  }, 240_000);

  it("more negatives than samples are refused", async () => {
    const config = { ...identity, loss: { ...identity.loss, negatives: [9] } };
    await expect(runToEnd(engine(), config, { save: [] })).rejects.toMatchObject({ code: "DUAL-NEGATIVES" });
  });
});

describe("operator-training", () => {
  it("−∇W is OP·vec(W) at every layer and measured step; nothing is made after the first submit", async () => {
    const finished = await run(tiny);
    const looks = measured(finished);
    expect(looks.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
    expect(finished.records.map(({ step }) => step)).toEqual([0, 2, 4, 6, 8, 10, 12]);
    for (const { extra = {} } of looks) {
      expect(numbers(extra.cosine)).toHaveLength(3);
      for (const cosine of numbers(extra.cosine)) expect(cosine).toBeGreaterThan(0.9999);
      for (const residual of numbers(extra.residual)) expect(residual).toBeLessThan(1e-4);
      // n_L·(M − 1) = 6; the rank may be less.
      for (const rank of numbers(extra.rank)) expect(rank).toBeLessThanOrEqual(6);
      expect(numbers(extra["operator.1"])).toHaveLength(5);
    }
    const { counters, measured: summary } = finished.result;
    expect(counters).toMatchObject({ gpuObjectsCreatedAfterWarmup: 0, writeBuffersAfterWarmup: 0 });
    expect(summary).toMatchObject({ measurements: 4, convention: "both towers" });
    expect(summary.leastCosine).toBeGreaterThan(0.9999);
  }, 240_000);

  it.each([
    [
      "triplet with three negatives",
      { kind: "triplet", pairs: "sampled", negatives: 3, temperature: 0.5, margin: 0.1, beta: 0.5 },
      {},
    ],
    [
      "InfoNCE with three negatives, unit outputs",
      { kind: "infoNce", pairs: "sampled", negatives: 3, temperature: 0.5, beta: -0.5 },
      { normalized: true },
    ],
  ] as const)("%s: the exact operator", async (_, loss, model) => {
    const finished = await run({
      ...tiny,
      steps: 4,
      model: { ...tiny.model, ...model },
      loss: { ...tiny.loss, ...loss },
    });
    const looks = measured(finished);
    expect(looks).toHaveLength(2);
    for (const { extra = {} } of looks)
      for (const cosine of numbers(extra.cosine)) expect(cosine).toBeGreaterThan(0.9999);
    expect(looks.at(-1)?.extra?.["growthPredicted.1"]).toBeUndefined();
  });

  it("biases and batch normalisation are measured as what they are: departures from the theorem", async () => {
    const biased = measured(await run({ ...tiny, steps: 4, model: { ...tiny.model, bias: true } }));
    const residual = numbers(biased[0]?.extra?.residual);
    expect(residual[0]).toBeGreaterThan(1e-3);
    expect(residual.at(-1)).toBeLessThan(1e-4);
    const normed = measured(await run({ ...tiny, steps: 4, model: { ...tiny.model, batchNorm: true } }));
    expect(numbers(normed[0]?.extra?.residual)[0]).toBeGreaterThan(1e-3);
    expect(numbers(normed[0]?.extra?.residual).at(-1)).toBeLessThan(1e-4);
  });

  it("stops though batch normalisation and ReLU leave the loss finite: the parameters overflow", async () => {
    const config = {
      ...tiny,
      model: { ...tiny.model, batchNorm: true },
      optimizer: { learningRate: 1e38, momentum: 0 },
    };
    const { result, records } = await run({ ...config, operator: { ...tiny.operator, every: 100 } });
    expect(result.stopped).toMatchObject({ reason: "diverged" });
    expect(result.stopped?.step).toBeLessThan(tiny.steps);
    expect(records.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  it("a resumed run has the bytes of one that was not interrupted", async () => {
    const whole = await run(tiny);
    const cut = await run(tiny, { abortAfter: 3 });
    const checkpoint = cut.checkpoints.at(-1)!;
    expect(cut.result.stopped?.reason).toBe("interrupted");
    const resumed = await run(tiny, { resume: { checkpoint, records: cut.records } });
    expect([cut.text, resumed.text].join("\n")).toBe(whole.text);
  });

  it("the dense form gives the same numbers for small layers, and is refused for large ones", async () => {
    const small = {
      ...tiny,
      steps: 4,
      model: { ...tiny.model, hidden: [5, 4] },
      operator: { ...tiny.operator, form: "dense" },
    } as const;
    for (const { extra = {} } of measured(await run(small))) {
      for (const residual of numbers(extra.residual)) expect(residual).toBeLessThan(1e-4);
    }
    await expect(run({ ...small, model: { ...small.model, hidden: [64, 4] } })).rejects.toMatchObject({
      code: "DUAL-DENSE",
      message: expect.stringMatching(/Layer 1 has 64 × 48 = 3072 weights/),
    });
  });

  it("values that do not fit one another are refused with both", () => {
    const refused = (change: (config: OperatorTrainingConfig) => OperatorTrainingConfig): string => {
      try {
        checkConfig(change(tiny));
      } catch (error) {
        return `${(error as { code: string }).code}: ${(error as Error).message}`;
      }
      return "accepted";
    };
    const sampled = { ...tiny.loss, pairs: "sampled" } as const;
    expect(refused((c) => ({ ...c, loss: { ...sampled, negatives: 3 } }))).toBe("accepted");
    expect(refused((c) => ({ ...c, loss: { ...sampled, negatives: 4 } }))).toMatch(
      /DUAL-NEGATIVES: 4 negatives.*has 3/,
    );
    expect(refused((c) => ({ ...c, loss: { ...c.loss, kind: "triplet" } }))).toMatch(/CONFIG-PAIRS/);
    expect(refused((c) => ({ ...c, data: { ...c.data, batch: 13 } }))).toMatch(/CONFIG-BATCH: .*13.*8/);
    expect(refused((c) => ({ ...c, data: { ...c.data, batch: 1 } }))).toMatch(/CONFIG-BATCH/);
    expect(refused((c) => ({ ...c, data: { ...c.data, augmentations: 3 } }))).toMatch(/CONFIG-AUGMENTATIONS: .*3/);
    expect(refused((c) => ({ ...c, data: { ...c.data, side: 113 } }))).toMatch(/CONFIG-SIDE: .*113.*28×28/);
    expect(refused((c) => ({ ...c, operator: { ...c.operator, every: 5 } }))).toMatch(
      /CONFIG-RECORD: .*5.*record.every = 2/,
    );
    expect(refused((c) => ({ ...c, operator: { ...c.operator, leading: 7 } }))).toMatch(/CONFIG-LEADING: .*7.*rank 6/);
  });

  it("a batch whose operator no solver takes is refused before anything is allocated", async () => {
    const big = {
      ...tiny,
      data: { ...tiny.data, images: 1000, batch: 1000 },
      model: { ...tiny.model, outputs: 3 },
    };
    await expect(run(big)).rejects.toMatchObject({
      code: "DUAL-ORDER",
      message: expect.stringMatching(/999 contrasts and 3 outputs needs eigenvalues of order 2997/),
    });
  });
});
