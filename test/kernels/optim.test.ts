import { describe, expect, it } from "vitest";
import { sgd } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/optim.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { VALUE_SETS, values } from "./runF32.ts";
import { packStepState } from "./stepState.ts";

const engine = useEngine();

describe("sgd", () => {
  const learningRate = Math.fround(0.03);
  const momentum = Math.fround(0.9);

  const check = async (
    state: { parameters: Float32Array; velocity: Float32Array; gradients: Float32Array },
    hasMomentum: boolean,
    knobs: Record<string, number> = { WG: 4 },
  ) => {
    const count = state.parameters.length;
    const result = await runKernel(engine(), sgd, {
      buffers: { ...state, state: packStepState({ step: 3, records: 1, nonfiniteStep: 7, learningRate }) },
      params: { count, momentum },
      knobs: { ...knobs, MOMENTUM: hasMomentum },
      read: ["parameters", "velocity"],
    });
    const reference = oracle.sgd(state, { learningRate, momentum: hasMomentum ? momentum : undefined });
    // Absolute terms: |momentum·v| + |g|, and |p| + learning_rate times it.
    const terms = oracle.sgd(
      {
        parameters: absolute(state.parameters),
        velocity: absolute(state.velocity),
        gradients: absolute(state.gradients),
      },
      { learningRate: -learningRate, momentum: hasMomentum ? momentum : undefined },
    );
    // v: a product and a sum, γ_2. p: the direction's two, a product and a sum: γ_4; without momentum γ_2.
    expect(result.velocity).toMatchOracle(reference.velocity, {
      factor: hasMomentum ? gamma(2) : 0,
      scale: terms.velocity,
    });
    expect(result.parameters).toMatchOracle(reference.parameters, {
      factor: gamma(hasMomentum ? 4 : 2),
      scale: terms.parameters,
    });
  };

  for (const hasMomentum of [false, true]) {
    // A workgroup of 4 updates 16 parameters.
    for (const count of [4, 12, 16, 20, 36]) {
      it(`${count} parameters, momentum: ${hasMomentum}`, async () => {
        const random = new TestRandom(count);
        const [parameters, velocity, gradients] = [random.normals(count), random.normals(count), random.normals(count)];
        await check({ parameters, velocity, gradients }, hasMomentum);
        await check({ parameters, velocity, gradients }, hasMomentum, {});
      });
    }
    for (const set of VALUE_SETS) {
      it(`${set} values, momentum: ${hasMomentum}`, async () => {
        const random = new TestRandom(2);
        const make = () => values(set, 64, random);
        await check({ parameters: make(), velocity: make(), gradients: make() }, hasMomentum);
      });
    }
  }

  it("more than 65,535 workgroups fold into y", async () => {
    const count = 4 * 65_536;
    const gradients = Float32Array.from({ length: count }, (_, i) => (i % 1021) - 510);
    await check({ parameters: new Float32Array(count), velocity: gradients.slice(), gradients }, true, { WG: 1 });
  });

  it("stays inside count", async () => {
    const result = await runKernel(engine(), sgd, {
      buffers: {
        parameters: new Float32Array(8).fill(1),
        velocity: new Float32Array(8),
        gradients: new Float32Array(8).fill(1),
        state: packStepState({ step: 0, records: 0, nonfiniteStep: 0, learningRate: 1 }),
      },
      params: { count: 4, momentum: 0 },
      read: ["parameters"],
    });
    expect([...(result.parameters ?? [])]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });
});
