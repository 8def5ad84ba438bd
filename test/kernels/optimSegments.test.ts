/** Kernels of shaders/optim by segments: segment_norms, optimizer_factors, momentum_update, adam. */
import { describe, expect, it } from "vitest";
import type { Segment } from "../../src/autodiff/graph.ts";
import { adam, momentumUpdate, optimizerFactors, segmentNorms } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { segmentTables } from "../../src/optim/segments.ts";
import * as oracle from "../oracle/optimisers.ts";
import { useEngine } from "../support/device.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { VALUE_SETS, values } from "./runF32.ts";
import { packStepState } from "./stepState.ts";

const engine = useEngine();

/** Segments of these sizes on 64-element boundaries. */
function segmentsOf(sizes: readonly number[]): { segments: Segment[]; total: number } {
  let total = 0;
  const segments = sizes.map((elements, index) => {
    const segment = { name: `p${index}`, shape: [elements], offset: total, elements };
    total += 64 * Math.ceil(elements / 64);
    return segment;
  });
  return { segments, total };
}

const SIZES = [1, 63, 64, 65, 4095, 4096, 4097, 12_289, 7];
const plain = { rateFactor: 1, fixedRate: 0, weightDecay: 0, adapts: true };

describe("segment_norms", () => {
  const run = async (isNormOfSum: boolean, WG: number, set: (typeof VALUE_SETS)[number]) => {
    const { segments, total } = segmentsOf(SIZES);
    const random = new TestRandom(3);
    const decays = SIZES.map((_, index) => (index % 3 === 0 ? 0 : 0.25 * index));
    const options = decays.map((weightDecay) => ({ ...plain, weightDecay }));
    const tables = segmentTables(segments, options, total);
    // What lies between segments must not count, whatever it is.
    const parameters = new Float32Array(total).fill(Number.NaN);
    const gradients = new Float32Array(total).fill(1e30);
    for (const { offset, elements } of segments) {
      parameters.set(values(set, elements, random, 5), offset);
      gradients.set(values(set, elements, random, 5), offset);
    }
    const chunks = tables.chunks.length / 4;
    const { partials } = await runKernel(engine(), segmentNorms, {
      buffers: { ...tables, parameters, gradients, partials: new Float32Array(2 * chunks).fill(-1) },
      params: { chunks },
      knobs: { WG, NORM_OF_SUM: isNormOfSum },
      read: ["partials"],
    });
    const reference: number[] = [];
    for (let c = 0; c < chunks; c++) {
      const [first = 0, elements = 0, segment = 0] = tables.chunks.subarray(4 * c, 4 * c + 4);
      const p = Array.from(parameters.subarray(first, first + elements));
      const decay = isNormOfSum ? Math.fround(decays[segment]!) : 0;
      const g = p.map((value, i) => gradients[first + i]! + decay * value);
      reference.push(oracle.norm(p) ** 2, oracle.norm(g) ** 2);
      // The sum g + decay·p rounds relative to its terms, not to itself.
      scales.push(
        oracle.norm(p) ** 2,
        p.reduce((sum, x, i) => sum + (Math.abs(gradients[first + i]!) + decay * Math.abs(x)) ** 2, 0),
      );
    }
    const k = Math.ceil(4096 / (4 * WG)) + Math.log2(WG) + 5 + 4;
    expect(partials).toMatchOracle(reference, { factor: gamma(k), scale: scales.splice(0) });
    return partials;
  };
  const scales: number[] = [];

  for (const isNormOfSum of [false, true]) {
    for (const set of VALUE_SETS) {
      it(`${set} values, norm of the sum: ${isNormOfSum}; gaps hold NaN`, async () => {
        await run(isNormOfSum, 16, set);
        await run(isNormOfSum, 64, set);
      });
    }
  }

  it("chunks cover every segment once", () => {
    const { segments, total } = segmentsOf(SIZES);
    const { chunks, blocks } = segmentTables(
      segments,
      SIZES.map(() => plain),
      total,
    );
    const covered = SIZES.map(() => 0);
    for (let at = 0; at < chunks.length; at += 4) covered[chunks[at + 2]!]! += chunks[at + 1]!;
    expect(covered).toEqual(SIZES);
    segments.forEach(({ offset, elements }, index) => {
      expect([...blocks.subarray(offset / 64, Math.ceil((offset + elements) / 64))].every((b) => b === index)).toBe(
        true,
      );
    });
  });
});

const noSchedule = { peak: 0, start: 0, end: 0, warmup: 0, total: 1, every: 1, interval: 1, log_gamma: 0 };

describe("optimizer_factors", () => {
  const rateAt = async (step: number, spec: oracle.ScheduleSpec) => {
    const { segments } = segmentsOf([4]);
    const tables = segmentTables(segments, [{ ...plain, rateFactor: 0.5, fixedRate: 0.25 }], 64);
    const result = await runKernel(engine(), optimizerFactors, {
      buffers: {
        segments: tables.segments,
        partials: new Float32Array(2),
        state: packStepState({ step, records: 3, nonfiniteStep: 7, learningRate: 99 }),
        factors: new Float32Array(4),
      },
      params: {
        ...noSchedule,
        segments: 1,
        peak: spec.peak,
        start: spec.warmupStart,
        end: spec.end,
        warmup: spec.warmupSteps,
        total: spec.totalSteps,
        every: spec.every,
        interval: spec.interval,
        log_gamma: Math.log(spec.gamma),
        max_norm: 0,
        eta: 0,
        log_beta1: -1,
        log_beta2: -1,
      },
      knobs: { WG: 4, SCHEDULE: spec.kind === "cosine" ? 1 : 2 },
      read: ["factors", "state"],
    });
    const state = result.state as Uint32Array;
    // The other words of the state stay.
    expect([...state.subarray(0, 3)]).toEqual([step, 3, 7]);
    return { rate: new Float32Array(state.buffer)[3]!, factors: result.factors as Float32Array };
  };

  const base = {
    peak: 0.3,
    warmupSteps: 10,
    warmupStart: 3e-5,
    interval: 1,
    totalSteps: 110,
    end: 3e-4,
    every: 30,
    gamma: 0.1,
  };
  for (const spec of [
    { ...base, kind: "cosine" },
    { ...base, kind: "cosine", warmupSteps: 0, end: 0 },
    { ...base, kind: "cosine", interval: 7, totalSteps: 1_000_000 },
    { ...base, kind: "step" },
    { ...base, kind: "step", warmupSteps: 0, gamma: 0.97, every: 1 },
  ] as const) {
    it(`schedule ${JSON.stringify(spec)}`, async () => {
      for (const step of [0, 1, 5, 9, 10, 11, 39, 40, 41, 60, 70, 100, 109, 110, 111, 5000]) {
        const { rate, factors } = await rateAt(step, spec);
        const expected = oracle.scheduledRate(step, spec);
        // Cosine: 2u absolute, halved, times peak, and four roundings. Step: exp_minus_one's argument k·ln γ rounds by 2u·|k·ln γ|.
        const exponent = spec.kind === "step" ? (step / spec.every) * Math.abs(Math.log(spec.gamma)) : 0;
        const allowed =
          spec.kind === "step" ? 8 * U * expected * (1 + exponent) + 2 * U * spec.peak : 8 * U * spec.peak;
        expect(Math.abs(rate - expected), `step ${step}: ${rate}, oracle ${expected}`).toBeLessThanOrEqual(allowed);
        expect(Math.abs(factors[2]! - (0.5 * rate + 0.25))).toBeLessThanOrEqual(2 * U);
        expect([factors[0], factors[1], factors[3]]).toEqual([1, 0, 0]);
      }
    });
  }

  it("bias corrections of Adam from step 0 to 100,000", async () => {
    const { segments } = segmentsOf([4]);
    const tables = segmentTables(segments, [plain], 64);
    for (const step of [0, 1, 2, 9, 99, 1000, 99_999]) {
      const { factors } = await runKernel(engine(), optimizerFactors, {
        buffers: {
          segments: tables.segments,
          partials: new Float32Array(2),
          state: packStepState({ step, records: 0, nonfiniteStep: 0, learningRate: 0.5 }),
          factors: new Float32Array(4),
        },
        params: {
          ...noSchedule,
          segments: 1,
          max_norm: 0,
          eta: 0,
          log_beta1: Math.log(0.9),
          log_beta2: Math.log(0.999),
        },
        knobs: { WG: 4, RULE: 4 },
        read: ["factors"],
      });
      const expected = [1, 0, 0.5 / (1 - 0.9 ** (step + 1)), 1 / Math.sqrt(1 - 0.999 ** (step + 1))];
      // ln β rounds by u and its product by u; 1 − e^x loses at most that, relatively; 4u of exp_minus_one, 9u of root and division.
      expect(factors).toMatchOracle(expected, { factor: 16 * U, scale: expected });
    }
  });
});

describe("momentum_update and adam, given factors", () => {
  /** Two segments with factors of their own; count a multiple of 64. */
  const setup = (count: number, set: (typeof VALUE_SETS)[number]) => {
    const random = new TestRandom(count);
    const make = () => values(set, count, random, 3);
    const blocks = Uint32Array.from({ length: count / 64 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const factors = Float32Array.of(0.75, 0.125, 0.03, 1.5, 2, 0, 0.7, 31);
    const of = (i: number, field: number) => factors[4 * blocks[Math.floor(i / 64)]! + field]!;
    return { buffers: { factors, blocks, gradients: make(), parameters: make() }, make, of };
  };
  const momentum = Math.fround(0.9);

  for (const knobs of [
    {},
    { MOMENTUM: true },
    { MOMENTUM: true, NESTEROV: true },
    { MOMENTUM: true, RATE_INSIDE: true },
    { RATE_INSIDE: true },
  ] as Record<string, boolean>[]) {
    for (const set of VALUE_SETS) {
      it(`momentum_update ${JSON.stringify(knobs)}, ${set} values`, async () => {
        for (const count of [64, 320]) {
          const { buffers, make, of } = setup(count, set);
          const velocity = make();
          const result = await runKernel(engine(), momentumUpdate, {
            buffers: { ...buffers, velocity },
            params: { count, momentum },
            knobs: { WG: 4, ...knobs },
            read: ["parameters", "velocity"],
          });
          // Values and absolute terms by the same lines: all signs dropped, subtraction as addition.
          const update = (i: number, absolute: boolean) => {
            const sign = (x: number) => (absolute ? Math.abs(x) : x);
            const [p, g, v] = [sign(buffers.parameters[i]!), sign(buffers.gradients[i]!), sign(velocity[i]!)];
            let d = of(i, 0) * g + of(i, 1) * p;
            if (knobs.RATE_INSIDE) d *= of(i, 2);
            const moved = knobs.MOMENTUM ? momentum * v + d : v;
            const direction = knobs.MOMENTUM ? (knobs.NESTEROV ? d + momentum * moved : moved) : d;
            const step = (knobs.RATE_INSIDE ? 1 : of(i, 2)) * direction;
            return { p: absolute ? p + step : p - step, v: moved };
          };
          const indices = Array.from({ length: count }, (_, i) => i);
          const column = (field: "p" | "v", absolute: boolean) => indices.map((i) => update(i, absolute)[field]);
          expect(result.velocity).toMatchOracle(column("v", false), { factor: gamma(5), scale: column("v", true) });
          expect(result.parameters).toMatchOracle(column("p", false), { factor: gamma(8), scale: column("p", true) });
        }
      });
    }
  }

  for (const DECOUPLED of [false, true]) {
    for (const set of VALUE_SETS) {
      it(`adam, decoupled: ${DECOUPLED}, ${set} values`, async () => {
        const count = 320;
        const { buffers, make, of } = setup(count, set);
        const [first, second] = [make(), make().map(Math.abs)];
        const betas = { beta1: 0.875, complement1: 0.125, beta2: 0.9375, complement2: 0.0625 };
        const epsilon = Math.fround(1e-3);
        const result = await runKernel(engine(), adam, {
          buffers: { ...buffers, first, second },
          params: { count, ...betas, epsilon },
          knobs: { WG: 4, DECOUPLED },
          read: ["parameters", "first", "second"],
        });
        const update = (i: number, absolute: boolean) => {
          const sign = (x: number) => (absolute ? Math.abs(x) : x);
          let p = sign(buffers.parameters[i]!);
          let g = of(i, 0) * sign(buffers.gradients[i]!);
          if (DECOUPLED) p = absolute ? (1 + of(i, 1)) * p : (1 - of(i, 1)) * p;
          else g += of(i, 1) * p;
          return { p, m: 0.875 * sign(first[i]!) + 0.125 * g, v: 0.9375 * second[i]! + 0.0625 * g * g };
        };
        const indices = Array.from({ length: count }, (_, i) => i);
        const exact = indices.map((i) => update(i, false));
        const terms = indices.map((i) => update(i, true));
        expect(result.first).toMatchOracle(
          exact.map(({ m }) => m),
          { factor: gamma(6), scale: terms.map(({ m }) => m) },
        );
        expect(result.second).toMatchOracle(
          exact.map(({ v }) => v),
          { factor: gamma(9), scale: terms.map(({ v }) => v) },
        );
        // From the moments that the kernel stored: root, products, quotient and difference.
        const [m, v] = [result.first as Float32Array, result.second as Float32Array];
        const step = indices.map((i) => (of(i, 2) * m[i]!) / (of(i, 3) * Math.sqrt(v[i]!) + epsilon));
        expect(result.parameters).toMatchOracle(
          indices.map((i) => exact[i]!.p - step[i]!),
          { factor: 20 * U, scale: indices.map((i) => Math.abs(terms[i]!.p) + Math.abs(step[i]!)) },
        );
      });
    }
  }

  it("more than 65,535 workgroups fold into y", async () => {
    const count = 64 * 4097;
    const gradients = Float32Array.from({ length: count }, (_, i) => (i % 1021) - 510);
    const blocks = new Uint32Array(count / 64);
    const factors = Float32Array.of(1, 0, 1, 1);
    const state = () => new Float32Array(count);
    const sgd = await runKernel(engine(), momentumUpdate, {
      buffers: { factors, blocks, gradients, parameters: state(), velocity: state() },
      params: { count, momentum: 0 },
      knobs: { WG: 1 },
      read: ["parameters"],
    });
    expect(sgd.parameters).toMatchOracle(
      gradients.map((g) => -g),
      { factor: 0, scale: 0 },
    );
    const { first } = await runKernel(engine(), adam, {
      buffers: { factors, blocks, gradients, parameters: state(), first: state(), second: state() },
      params: { count, beta1: 0.5, complement1: 0.5, beta2: 0.5, complement2: 0.5, epsilon: 1 },
      knobs: { WG: 1 },
      read: ["first"],
    });
    expect(first).toMatchOracle(
      gradients.map((g) => 0.5 * g),
      { factor: 0, scale: 0 },
    );
  });
});
