/** `eigenstep plan`: compiles a configuration and prints what one training step consists of, without training. */
import { resolveConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { dataPathFor } from "../dataPath.ts";
import { EXIT } from "../exitCodes.ts";
import { planReport } from "../report/planReport.ts";
import type { TrainOptions } from "./train.ts";

export type PlanOptions = Pick<TrainOptions, "preset" | "data" | "set" | "json" | "runtime" | "browser">;

/** @throws EngineError of the configuration, the data or the runtime */
export async function plan(options: PlanOptions, context: CommandContext): Promise<number> {
  const config = await resolveConfig(options, context.presets, context.cwd);
  const dataPath = await dataPathFor(config, options.data, context);
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const document = await runtime.plan({ config, save: [], dataPath }, context.signal);
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : planReport(document));
  return EXIT.ok;
}
