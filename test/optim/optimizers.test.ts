/** Optimisers as graphs: several steps against the float64 reference, parameter by parameter, in every variant. */
import { describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { add, multiply, sum } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { type OptimizerConfig, optimizer } from "../../src/optim/index.ts";
import { packStepState } from "../kernels/stepState.ts";
import * as oracle from "../oracle/optimisers.ts";
import { useEngine } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

/** A matrix of more than one chunk, a vector, small matrices; `dead` has no gradient, `zero` no weights. */
const SHAPES: Readonly<Record<string, readonly number[]>> = {
  "conv.weight": [70, 80],
  "conv.bias": [70],
  "head.weight": [5, 7],
  "dead.weight": [3, 3],
  "zero.weight": [4, 4],
  "bn.weight": [1],
};
const NAMES = Object.keys(SHAPES);
const STEPS = 6;

/** Σ p·t, whose gradient is the input t. */
function linearLoss(): Graph & { readonly loss: () => ReturnType<typeof sum> } {
  const graph = new Graph();
  const terms = NAMES.map((name) =>
    sum(multiply(graph.parameter(name, SHAPES[name]!), graph.input(`slope ${name}`, SHAPES[name]!))),
  );
  return Object.assign(graph, { loss: () => terms.reduce((left, right) => add(left, right)) });
}

function gradientsOf(step: number): Float32Array<ArrayBuffer>[] {
  const random = new TestRandom(100 + step);
  return NAMES.map((name) =>
    random.normals(
      SHAPES[name]!.reduce((a, b) => a * b),
      name === "dead.weight" ? 0 : name === "head.weight" ? 3 : 0.1,
    ),
  );
}

const initial = NAMES.map((name, index) =>
  new TestRandom(index + 1).normals(
    SHAPES[name]!.reduce((a, b) => a * b),
    name === "zero.weight" ? 0 : 1,
  ),
);

/** Runs STEPS updates; returns the parameters after each, by name, and the rates that the step state then held. */
async function run(config: OptimizerConfig, learningRate: number) {
  const graph = linearLoss();
  const stepState = graph.state("stepState", [4], "u32");
  const update = optimizer(graph, graph.loss(), stepState, config);
  const outputs = { gradients: update.gradients };
  const plan = planGraph({ graph, programs: { update: [update.node] }, outputs, target: REGISTER_TARGET });
  const compiled = await CompiledPlan.compile(engine(), plan);
  try {
    for (const [name, data] of Object.entries(update.inputs)) compiled.write(name, data);
    graph.segments.forEach(({ offset }, index) => {
      compiled.write("parameters", initial[index]!, 4 * offset);
    });
    const history: Float32Array[][] = [];
    const rates: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      compiled.write(
        "stepState",
        packStepState({ step, records: 0, nonfiniteStep: 0, learningRate }) as Uint32Array<ArrayBuffer>,
      );
      gradientsOf(step).forEach((gradient, index) => {
        compiled.write(`slope ${NAMES[index]}`, gradient);
      });
      compiled.run("update");
      const flat = new Float32Array(
        await engine().readBuffer(compiled.buffer("parameters"), 0, 4 * graph.parameterElements),
      );
      history.push(graph.segments.map(({ offset, elements }) => flat.slice(offset, offset + elements)));
      rates.push(new Float32Array(await engine().readBuffer(compiled.buffer("stepState"), 0, 16))[3]!);
    }
    const own = plan.calls.filter(({ op }) =>
      ["segmentNorms", "optimizerFactors", "momentumUpdate", "adam", "sgd"].includes(op),
    );
    for (const name of update.state) expect(compiled.buffer(name).size).toBe(4 * graph.parameterElements);
    return { history, rates, dispatches: own.length };
  } finally {
    compiled.destroy();
  }
}

interface Numbers {
  readonly weightDecay?: (name: string) => number;
  readonly isExcluded?: (name: string) => boolean;
  readonly rateFactor?: (name: string) => number;
  readonly fixedRate?: (name: string) => number;
}

function parametersOf({ weightDecay, isExcluded, rateFactor, fixedRate }: Numbers): oracle.Parameter[] {
  return NAMES.map((name, index) => ({
    value: Float64Array.from(initial[index]!),
    first: new Float64Array(initial[index]!.length),
    second: new Float64Array(initial[index]!.length),
    weightDecay: weightDecay?.(name) ?? 0,
    isExcluded: isExcluded?.(name) ?? false,
    rateFactor: rateFactor?.(name) ?? 1,
    fixedRate: fixedRate?.(name) ?? 0,
  }));
}

/**
 * A step adds to p an error of at most 16u·(|p| + |its change|) given factors within 32u; over six steps with errors of earlier velocities
 * carried on: asserted 6·64u·(1 + the largest weight or change), where a wrong term would show as 1e-3 or more.
 */
function expectParameters(
  history: readonly (readonly Float32Array[])[],
  reference: readonly (readonly Float64Array[])[],
) {
  history.forEach((parameters, step) => {
    parameters.forEach((values, index) => {
      const expected = reference[step]![index]!;
      const largest = Math.max(...expected.map(Math.abs), ...initial[index]!.map(Math.abs));
      expect(values, `${NAMES[index]} after step ${step}`).toMatchOracle(expected, {
        factor: 0,
        scale: 0,
        absolute: (step + 1) * 64 * U * (largest + 0.1),
      });
    });
  });
}

function reference(
  parameters: oracle.Parameter[],
  step: (gradients: Float32Array[], index: number) => void,
): Float64Array[][] {
  return Array.from({ length: STEPS }, (_, index) => {
    step(gradientsOf(index), index);
    return parameters.map(({ value }) => value.slice());
  });
}

const isVector = (name: string) => SHAPES[name]!.length <= 1;
const RATE = Math.fround(0.05);

describe("sgd", () => {
  for (const momentum of [0, 0.9]) {
    for (const weightDecay of [0, 0.01]) {
      it(`momentum ${momentum}, weight decay ${weightDecay}`, async () => {
        const { history, dispatches } = await run({ kind: "sgd", momentum, weightDecay }, RATE);
        const parameters = parametersOf({ weightDecay: () => weightDecay });
        const steps = reference(parameters, (gradients) =>
          oracle.sgdStep(parameters, gradients, RATE, { momentum, nesterov: false }),
        );
        expectParameters(history, steps);
        expect(dispatches).toBe(weightDecay === 0 ? 1 : 2);
      });
    }
  }

  it("Nesterov, biases and the head excluded from decay, groups with rates of their own", async () => {
    const { history, dispatches } = await run(
      {
        kind: "sgd",
        momentum: 0.9,
        nesterov: true,
        weightDecay: 0.02,
        exclude: { vectors: true, names: ["zero"] },
        groups: [
          { names: ["head."], rateFactor: 0.25, weightDecay: 0.5 },
          { names: ["conv.bias"], rateFactor: 0, fixedRate: 0.01 },
        ],
      },
      RATE,
    );
    const parameters = parametersOf({
      weightDecay: (name) => (isVector(name) || name === "zero.weight" ? 0 : name === "head.weight" ? 0.5 : 0.02),
      rateFactor: (name) => (name === "head.weight" ? 0.25 : name === "conv.bias" ? 0 : 1),
      fixedRate: (name) => (name === "conv.bias" ? 0.01 : 0),
    });
    const steps = reference(parameters, (gradients) =>
      oracle.sgdStep(parameters, gradients, RATE, { momentum: 0.9, nesterov: true }),
    );
    expectParameters(history, steps);
    expect(dispatches).toBe(2);
  });

  for (const clipNorm of [1, 1000]) {
    it(`gradients clipped to ${clipNorm}`, async () => {
      const { history, dispatches } = await run({ kind: "sgd", momentum: 0.9, clipNorm }, RATE);
      const parameters = parametersOf({});
      const steps = reference(parameters, (gradients) =>
        oracle.sgdStep(parameters, oracle.clipped(gradients, clipNorm), RATE, { momentum: 0.9, nesterov: false }),
      );
      expectParameters(history, steps);
      expect(dispatches).toBe(3);
    });
  }

  it("warm-up and cosine: the rates of the step state and the parameters", async () => {
    const schedule = {
      kind: "cosine",
      peak: 0.2,
      warmupSteps: 2,
      warmupStart: 0.01,
      totalSteps: 5,
      end: 0.002,
    } as const;
    const { history, rates } = await run({ kind: "sgd", momentum: 0.9, schedule }, 123);
    const parameters = parametersOf({});
    const rateAt = (step: number) => oracle.scheduledRate(step, { ...schedule, interval: 1, every: 1, gamma: 1 });
    const steps = reference(parameters, (gradients, index) =>
      oracle.sgdStep(parameters, gradients, rateAt(index), { momentum: 0.9, nesterov: false }),
    );
    expect(rates).toMatchOracle(
      rates.map((_, step) => rateAt(step)),
      { factor: 8 * U, scale: 0.2 },
    );
    expectParameters(history, steps);
  });
});

describe("adam and adamw", () => {
  for (const kind of ["adam", "adamw"] as const) {
    for (const clipNorm of [undefined, 0.5]) {
      it(`${kind}, vectors excluded from decay, clipping ${clipNorm ?? "none"}`, async () => {
        const { history, dispatches } = await run(
          {
            kind,
            weightDecay: 0.1,
            exclude: { vectors: true },
            schedule: { kind: "step", peak: 0.1, every: 2, gamma: 0.5 },
            ...(clipNorm === undefined ? {} : { clipNorm }),
          },
          RATE,
        );
        const parameters = parametersOf({ weightDecay: (name) => (isVector(name) ? 0 : 0.1) });
        const spec = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decoupled: kind === "adamw" };
        const steps = reference(parameters, (gradients, step) => {
          const used = clipNorm === undefined ? gradients : oracle.clipped(gradients, clipNorm);
          oracle.adamStep(parameters, used, 0.1 * 0.5 ** Math.floor(step / 2), step, spec);
        });
        expectParameters(history, steps);
        expect(dispatches).toBe(clipNorm === undefined ? 2 : 3);
      });
    }
  }
});

describe("lars", () => {
  for (const variant of ["facebook", "lightly", "solo-learn", "google"] as const) {
    for (const weightDecay of [0, 0.05]) {
      for (const clipRate of variant === "solo-learn" ? [false, true] : [false]) {
        it(`${variant}, weight decay ${weightDecay}, clip ${clipRate}; the rate changes between steps`, async () => {
          const schedule = { kind: "cosine", peak: 2, totalSteps: 8 } as const;
          const config = { kind: "lars", variant, weightDecay, clipRate, eta: 0.02, momentum: 0.9, schedule } as const;
          const { history, dispatches } = await run(config, 1);
          const parameters = parametersOf({
            weightDecay: (name) => (isVector(name) ? 0 : weightDecay),
            isExcluded: isVector,
          });
          const full = { ...schedule, warmupSteps: 0, warmupStart: 0, interval: 1, end: 0, every: 1, gamma: 1 };
          const steps = reference(parameters, (gradients, step) =>
            oracle.larsStep(parameters, gradients, oracle.scheduledRate(step, full), {
              variant,
              momentum: 0.9,
              eta: 0.02,
              clipRate,
            }),
          );
          expectParameters(history, steps);
          expect(dispatches).toBe(3);
        });
      }
    }
  }

  it("the variants differ from one another", async () => {
    const schedule = { kind: "cosine", peak: 2, totalSteps: 8 } as const;
    const base = { kind: "lars", weightDecay: 0.5, eta: 0.02, schedule } as const;
    const last: string[] = [];
    for (const variant of ["facebook", "lightly", "google"] as const) {
      const { history } = await run({ ...base, variant }, 1);
      last.push(
        history
          .at(-1)!
          .map((values) => values.slice(0, 4).join())
          .join(),
      );
    }
    expect(new Set(last).size).toBe(3);
  });
});

describe("bad options", () => {
  const build = (config: unknown) => {
    const graph = linearLoss();
    return optimizer(graph, graph.loss(), graph.state("stepState", [4], "u32"), config as OptimizerConfig);
  };
  for (const [label, config] of Object.entries({
    "momentum 1": { kind: "sgd", momentum: 1 },
    "Nesterov without momentum": { kind: "sgd", nesterov: true },
    "negative decay": { kind: "sgd", weightDecay: -1 },
    "clipNorm 0": { kind: "sgd", clipNorm: 0 },
    "a group that fits nothing": { kind: "sgd", groups: [{ names: ["encoder"] }] },
    "beta2 1": { kind: "adamw", beta2: 1 },
    "epsilon 0": { kind: "adam", epsilon: 0 },
    "eta 0": { kind: "lars", variant: "google", eta: 0 },
    "clipRate of another variant": { kind: "lars", variant: "google", clipRate: true },
    "a schedule shorter than its warm-up": {
      kind: "sgd",
      schedule: { kind: "cosine", peak: 1, warmupSteps: 10, totalSteps: 10 },
    },
    "gamma 0": { kind: "sgd", schedule: { kind: "step", peak: 1, every: 1, gamma: 0 } },
    "a rate that is no number": { kind: "sgd", schedule: { kind: "step", peak: Number.NaN, every: 1, gamma: 1 } },
  })) {
    it(`${label}: CONFIG-OPTIMIZER`, () => {
      let thrown: unknown;
      try {
        build(config);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: "CONFIG-OPTIMIZER" });
      expect((thrown as { fix: string }).fix).toMatch(/^[A-Z].*\.$/);
    });
  }
});
