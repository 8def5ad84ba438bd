/** Named configurations, plain JSON in presets/. */
import type { RunConfig } from "./contract.ts";
import linearAmplitudeBias from "./presets/linear-amplitude-bias.json" with { type: "json" };
import linearCifar from "./presets/linear-cifar.json" with { type: "json" };
import linearExtentBias from "./presets/linear-extent-bias.json" with { type: "json" };
import linearMnist from "./presets/linear-mnist.json" with { type: "json" };
import linearSynthetic from "./presets/linear-synthetic.json" with { type: "json" };

/** By name; the keys are what `eigenstep train` takes. JSON imports widen literals, hence the cast; the command validates each use. */
export const presets: Readonly<Record<string, RunConfig>> = Object.fromEntries(
  [linearMnist, linearCifar, linearSynthetic, linearExtentBias, linearAmplitudeBias].map((preset) => [
    preset.preset,
    preset as RunConfig,
  ]),
);
