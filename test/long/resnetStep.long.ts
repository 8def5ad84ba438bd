/** ResNet-18 and ResNet-50 at full width with the 1000-class head compile and train on the software adapter. */
import { expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { drawParameters, initialRunning } from "../../src/nn/index.ts";
import { encodeStepState } from "../../src/train/stepState.ts";
import { resnetStep } from "../nn/support.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

it.each([
  [18, "cifar"],
  [50, "imagenet"],
] as const)(
  "ResNet-%i, %s stem: the mean square of its outputs falls in the first steps",
  { timeout: 600_000 },
  async (depth, stem) => {
    const { plan, spec } = resnetStep({ depth, stem, classes: 1000 }, 4, 32);
    const draw = new Graph();
    const { flat } = await evaluate(
      engine(),
      draw,
      {},
      { flat: drawParameters(draw, spec.parameters, { seed: 1, stream: 0x10000 }) },
    );
    const compiled = await CompiledPlan.compile(engine(), plan);
    try {
      compiled.write("parameters", new Float32Array(flat));
      compiled.write("images", new TestRandom(2).normals(4 * 32 * 32 * 4));
      compiled.write("runningStatistics", initialRunning(spec.running));
      compiled.write(
        "stepState",
        encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0.01 }),
      );
      const losses: number[] = [];
      for (let step = 0; step < 2; step++) {
        compiled.run("train");
        losses.push(new Float32Array(await engine().readBuffer(compiled.buffer("loss"), 0, 4))[0]!);
      }
      expect(losses[0]).toBeGreaterThan(0);
      expect(losses[1]).toBeLessThan(losses[0]!);
    } finally {
      compiled.destroy();
    }
  },
);
