import { describe, expect, it } from "vitest";
import { decodeStepState, encodeStepState } from "../../src/train/stepState.ts";
import { targetOf } from "../../src/train/trainingStep.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { compileTiny, D, lossAndGradient, M, N, tinyStep, WEIGHTS } from "./tinyStep.ts";

const engine = useEngine();
const STEPS = 10;

/**
 * Roundings on the way of one monomial W⁴X⁴-like term into a gradient entry: z three times (K = M, and three of the kernel's epilogue), C
 * (two products per pair of each lane's share ⌈N/16⌉, log2 16 + 1 and the rounded factor 1/2N), the residual 1, dZ (K = D, three more, and
 * the rounded scale), its doubling and sum over the views 3, dW (K = 2N and three more).
 */
const ROUNDINGS = 3 * (M + 3) + (2 * Math.ceil(N / 16) + 4 + 1 + 1) + 1 + (D + 3 + 1) + 3 + (2 * N + 3);

describe.each([
  ["without momentum", 0],
  ["with momentum", Math.fround(0.9)],
] as const)("ten steps %s", (_name, momentum) => {
  // So small that the majorant, whose growth has no cancellation, stays within a few times the true one.
  const learningRate = Math.fround(0.001);

  it("follow a float64 loop within the bound that the rounding errors of every step add up to", async () => {
    const compiled = await compileTiny(engine(), tinyStep({ momentum }));
    try {
      compiled.write("stepState", encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate }));
      const weights = Float64Array.from(WEIGHTS);
      const velocity = new Float64Array(D * M);
      // Bounds of |GPU − float64|, entry by entry: of the weights and of the velocity.
      const weightError = new Float64Array(D * M);
      const velocityError = new Float64Array(D * M);
      for (let step = 0; step < STEPS; step++) {
        compiled.run("update");
        const { gradient } = lossAndGradient(weights, false);
        const here = lossAndGradient(weights, true).gradient;
        const around = lossAndGradient(
          weights.map((value, i) => Math.abs(value) + weightError[i]!),
          true,
        ).gradient;
        for (let i = 0; i < D * M; i++) {
          // The gradient moves with the weights by at most G(|W| + δ) − G(|W|), and its own roundings are γ_K of G(|W| + δ).
          const gradientError = around[i]! - here[i]! + gamma(ROUNDINGS) * around[i]!;
          velocity[i] = momentum * velocity[i]! + gradient[i]!;
          velocityError[i] = momentum * velocityError[i]! + gradientError;
          // v rounds twice (product and sum), p twice.
          velocityError[i]! += gamma(2) * (Math.abs(velocity[i]!) + velocityError[i]! + 2 * around[i]!);
          weights[i]! -= learningRate * velocity[i]!;
          const moved = learningRate * (Math.abs(velocity[i]!) + velocityError[i]!);
          weightError[i]! += learningRate * velocityError[i]!;
          weightError[i]! += gamma(2) * (Math.abs(weights[i]!) + weightError[i]! + 2 * moved);
        }
        const got = new Float32Array(await engine().readBuffer(compiled.buffer("parameters"), 0, 4 * D * M));
        expect(got).toMatchOracle(weights, { factor: 1, scale: weightError });
      }
      // The bound says something: it is small beside what ten steps moved.
      const travelled = Math.max(...weights.map((value, i) => Math.abs(value - WEIGHTS[i]!)));
      expect(Math.max(...weightError)).toBeLessThan(2e-3 * travelled);
      const state = decodeStepState(await engine().readBuffer(compiled.buffer("stepState")));
      expect(state).toEqual({ step: STEPS, records: 0, nonfiniteStep: undefined, learningRate });
    } finally {
      compiled.destroy();
    }
  });

  it("lower the loss", () => {
    const weights = Float64Array.from(WEIGHTS);
    const first = lossAndGradient(weights, false).loss;
    const velocity = new Float64Array(D * M);
    for (let step = 0; step < STEPS; step++) {
      lossAndGradient(weights, false).gradient.forEach((value, i) => {
        velocity[i] = momentum * velocity[i]! + value;
        weights[i]! -= learningRate * velocity[i]!;
      });
    }
    expect(lossAndGradient(weights, false).loss).toBeLessThan(0.99 * first);
  });
});

describe("the step state", () => {
  it("crosses the border to the GPU and back unchanged", () => {
    for (const state of [
      { step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0.5 },
      { step: 0xffff_fffe, records: 7, nonfiniteStep: 0, learningRate: Math.fround(1e-20) },
      { step: 12, records: 3, nonfiniteStep: 11, learningRate: 0 },
    ]) {
      const words = encodeStepState(state);
      expect(words.byteLength).toBe(16);
      expect(decodeStepState(words.buffer)).toEqual(state);
      const shifted = new Uint32Array([1, ...words]);
      expect(decodeStepState(shifted.buffer, 4)).toEqual(state);
    }
  });
});

describe("the kernels for a device", () => {
  it("are of the register family on software adapters, of the workgroup family on GPUs, unless fixed", () => {
    expect(targetOf(true)).toEqual({ isSoftware: true, matmulFamily: "register" });
    expect(targetOf(false)).toEqual({ isSoftware: false, matmulFamily: "workgroup" });
    expect(targetOf(true, "workgroup")).toEqual({ isSoftware: true, matmulFamily: "workgroup" });
    expect(targetOf(false, "register")).toEqual({ isSoftware: false, matmulFamily: "register" });
  });
});
