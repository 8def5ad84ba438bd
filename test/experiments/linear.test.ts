import { describe, expect, it } from "vitest";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import { initAmplitudes, symmetricEigen } from "../../src/theory/index.ts";
import { crossCorrelation, descend, stepTimesOf } from "../oracle/linearDescent.ts";
import { cifarFolder, mnistFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { type FinishedRun, preset, runToEnd } from "../support/runs.ts";
import { isThorough } from "../support/thorough.ts";

const engine = useEngine();

/** Compares a run with float64 gradient descent from its own saved views and initial weight. */
function expectToFollowDescent({ records, arrays, result }: FinishedRun, config: LinearConfig): void {
  const viewsA = arrays["views_a.npy"]!;
  const weights = arrays["weights_init.npy"]!;
  const d = config.model.outputs;
  const m = weights.length / d;
  const { learningRate, momentum } = config.optimizer;
  const options = {
    n: viewsA.length / m,
    m,
    d,
    learningRate,
    momentum,
    steps: config.steps,
    recordEvery: config.record.every,
  };
  const reference = descend(viewsA, arrays["views_b.npy"]!, weights, options);
  expect(records.map((record) => record.step)).toEqual(reference.map((record) => record.step));
  // f32 errors of a step are a few 1e-7 relative and grow by at most e^{8γδt} while a mode rises; 1e-4 holds with room, a wrong
  // gradient or an off-by-one step moves the curves by far more than 1e-2.
  reference.forEach((expected, index) => {
    const got = records[index]!;
    expect(Math.abs(got.loss - expected.loss)).toBeLessThan(1e-4);
    expected.spectrum.forEach((value, j) => {
      expect(Math.abs(got.spectrum[j]! - value)).toBeLessThan(1e-4);
    });
  });
  const measured = result.measured.stepTimes as (number | null)[];
  stepTimesOf(reference, learningRate / (1 - momentum), d).forEach((time, j) => {
    if (time === undefined) expect(measured[j]).toBeNull();
    else expect(Math.abs(measured[j]! / time - 1)).toBeLessThan(2e-3);
  });
}

const tiny: LinearConfig = {
  ...preset("linear-synthetic"),
  steps: 700,
  data: {
    source: "synthetic-spectrum",
    pairs: 24,
    modes: 6,
    decay: 1.5,
    negative: [-0.2, -0.1],
    noise: 0.1,
    centered: false,
  },
  model: { outputs: 4, initScale: 1e-2 },
  optimizer: { learningRate: 0.01, momentum: 0 },
  record: { every: 1 },
};

describe("a linear run reproduces float64 gradient descent at every record", () => {
  it("on a synthetic spectrum, uncentred", async () => {
    const run = await runToEnd(engine(), tiny);
    expectToFollowDescent(run, tiny);
    expect(run.result.measured.learned).toBe(4);
  });

  it("with centred views, records every seven steps and momentum", async () => {
    const config: LinearConfig = {
      ...tiny,
      steps: 200,
      seed: 3,
      data: { ...tiny.data, centered: true },
      record: { every: 7 },
    };
    const run = await runToEnd(engine(), config);
    expectToFollowDescent(run, config);
    const viewsA = run.arrays["views_a.npy"]!;
    const means = Array.from({ length: 8 }, (_, j) => {
      let total = 0;
      for (let i = 0; i < 24; i++) total += viewsA[i * 8 + j]!;
      return total / 24;
    });
    // A mean of 24 numbers below 4, each rounded: 24·2⁻²⁴·4.
    for (const mean of means) expect(Math.abs(mean)).toBeLessThan(6e-6);
    const heavy: LinearConfig = { ...config, optimizer: { learningRate: 0.002, momentum: 0.8 } };
    const heavyRun = await runToEnd(engine(), heavy);
    expectToFollowDescent(heavyRun, heavy);
    expect(heavyRun.records.at(-1)!.t).toBeCloseTo((0.002 * 200) / 0.2, 12);
  });

  it("on MNIST crops from the embedded files", async () => {
    const config: LinearConfig = {
      ...preset("linear-mnist"),
      steps: 60,
      data: { source: "mnist", images: 40, crop: 7, centered: true },
      model: { outputs: 3, initScale: 0.05 },
      optimizer: { learningRate: 0.02, momentum: 0 },
    };
    expectToFollowDescent(await runToEnd(engine(), config, { data: mnistFolder() }), config);
  });

  const cifar = cifarFolder();
  it(`on CIFAR-10 crops (${cifar.origin})`, async () => {
    const config: LinearConfig = {
      ...preset("linear-cifar"),
      steps: 40,
      data: { source: "cifar10", images: 30, crop: 8, centered: true },
      model: { outputs: 5, initScale: 0.02 },
      optimizer: { learningRate: 0.005, momentum: 0 },
    };
    expectToFollowDescent(await runToEnd(engine(), config, { data: cifar.folder }), config);
  });
});

describe("step times against theory", () => {
  it("linear-synthetic, γ_j = 1.5^-j, init scale 1e-4: within 0.5 % of the prediction from R_jj", async () => {
    const config = preset("linear-synthetic");
    const { arrays, result } = await runToEnd(engine(), config);
    const [n, m, d] = [256, 12, config.model.outputs];
    const gamma = crossCorrelation(arrays["views_a.npy"]!, arrays["views_b.npy"]!, n, m);
    const { values, vectors } = symmetricEigen(gamma, m, { count: d });
    expect(config.model.initScale).toBe(1e-4);
    // The views are exact in float64 and rounded to f32 once.
    for (let j = 0; j < 8; j++) expect(Math.abs(values[j]! / 1.5 ** -j - 1)).toBeLessThan(1e-6);
    const { amplitudes } = initAmplitudes(arrays["weights_init.npy"]!, vectors, { d, m });
    const measured = result.measured.stepTimes as number[];
    for (let j = 0; j < d; j++) {
      // τ_j = −ln(s_j(0)² γ_j) / (8 γ_j), s_j(0) = R_jj (Simon et al. 2023, Prop. 4.1 and Result 4.6).
      const predicted = -Math.log(amplitudes[j]! ** 2 * values[j]!) / (8 * values[j]!);
      expect(Math.abs(measured[j]! / predicted - 1)).toBeLessThan(5e-3);
    }
  });
});

describe("determinism and refusal", () => {
  it("saves the final embeddings, W times every view, and all spectra", async () => {
    const config = { ...preset("linear-synthetic"), steps: 20 };
    const run = await runToEnd(engine(), config, { save: ["views", "weights", "embeddings", "spectrum"] });
    const { arrays, records } = run;
    const weights = arrays["weights_final.npy"]!;
    const d = config.model.outputs;
    const m = weights.length / d;
    const views = [...arrays["views_a.npy"]!, ...arrays["views_b.npy"]!];
    const embeddings = arrays["embeddings.npy"]!;
    expect(embeddings).toHaveLength((views.length / m) * d);
    for (const at of [0, 1, d, embeddings.length / 2, embeddings.length - 1]) {
      const [row, output] = [Math.floor(at / d), at % d];
      let exact = 0;
      for (let k = 0; k < m; k++) exact += weights[output * m + k]! * views[row * m + k]!;
      expect(embeddings[at]).toBe(Math.fround(exact));
    }
    expect(arrays["spectrum.npy"]).toEqual(Float32Array.from(records.flatMap(({ spectrum }) => spectrum)));
  });

  it("same configuration and seed: the same bytes; another seed: others", async () => {
    const config = { ...tiny, steps: 50 };
    const [first, second, other] = [
      await runToEnd(engine(), config),
      await runToEnd(engine(), config),
      await runToEnd(engine(), { ...config, seed: 1 }),
    ];
    expect(second.text).toBe(first.text);
    expect(other.text).not.toBe(first.text);
  });

  it("a learning rate above 1/(4γ₁) is refused with the bound, and runs when forced", async () => {
    const config: LinearConfig = { ...tiny, steps: 5, optimizer: { learningRate: 0.3, momentum: 0 } };
    await expect(runToEnd(engine(), config)).rejects.toMatchObject({
      code: "THEORY-LR-BOUND",
      message: expect.stringContaining("0.25"),
      fix: expect.stringContaining("force=true"),
    });
    await expect(runToEnd(engine(), { ...config, force: true })).resolves.toMatchObject({ result: { steps: 5 } });
  });

  it("a diverging run stops at the step whose loss was not finite and keeps what came before", async () => {
    const config: LinearConfig = {
      ...tiny,
      steps: 400,
      force: true,
      model: { outputs: 4, initScale: 1 },
      optimizer: { learningRate: 4, momentum: 0 },
    };
    const { result, records } = await runToEnd(engine(), config);
    expect(result.stopped?.reason).toBe("diverged");
    const step = result.stopped!.step;
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(400);
    expect(records.map((record) => record.step)).toEqual(Array.from({ length: step }, (_, i) => i));
    expect(records.every((record) => Number.isFinite(record.loss))).toBe(true);
  });

  it("an abort ends the run with everything recorded", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    const { result, records } = await runToEnd(engine(), { ...tiny, steps: 1_000_000 }, { signal: controller.signal });
    expect(result.stopped?.reason).toBe("interrupted");
    expect(records.length).toBe(result.steps);
    expect(records.at(-1)!.step).toBe(result.steps - 1);
  });

  it.each([
    [{ model: { outputs: 9, initScale: 1 } }, "CONFIG-OUTPUTS"],
    [{ data: { source: "mnist", images: 4, crop: 29, centered: true } }, "CONFIG-CROP"],
    [{ data: { source: "cifar10", images: 4, crop: 8, centered: true } }, "DATA-NO-FOLDER"],
  ] as const)("%j is refused with %s before anything runs", async (change, code) => {
    await expect(runToEnd(engine(), { ...tiny, ...change } as LinearConfig)).rejects.toMatchObject({ code });
    expect(engine().memory.buffers).toBe(0);
  });
});

describe("bias demos", () => {
  it("extent bias: Γ's eigenvalues are the extents, the wide feature is learned first and both end at 1/√γ", async () => {
    const { result, header } = await runToEnd(engine(), preset("linear-extent-bias"));
    const gamma = (header.theory as { gamma: number[] }).gamma;
    // n = 1000 signs: the two features' empirical correlation is O(1/√n), which perturbs γ by 9·1/(9 − 1)·(1/√n)² ≈ 0.01.
    expect(Math.abs(gamma[0]! - 9)).toBeLessThan(0.1);
    expect(Math.abs(gamma[1]! - 1)).toBeLessThan(0.1);
    const [wide, narrow] = result.measured.featureAmplitudes as { name: string; final: number }[];
    expect(Math.abs(wide!.final - 1 / 3)).toBeLessThan(0.02);
    expect(Math.abs(narrow!.final - 1)).toBeLessThan(0.1);
    const times = result.measured.stepTimes as number[];
    expect(times[1]! / times[0]!).toBeGreaterThan(4);
  });

  it.runIf(isThorough)("amplitude bias: γ = c²·m/2, the loud feature first", async () => {
    const { result, header } = await runToEnd(engine(), preset("linear-amplitude-bias"));
    const gamma = (header.theory as { gamma: number[] }).gamma;
    expect(Math.abs(gamma[0]! / 48 - 1)).toBeLessThan(0.02);
    expect(Math.abs(gamma[1]! / 12 - 1)).toBeLessThan(0.02);
    expect(result.measured.learned).toBe(2);
  });
});
