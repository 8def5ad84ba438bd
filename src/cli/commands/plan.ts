/** `eigenstep plan`: compiles a configuration and prints what one training step consists of, without training. */
import { resolveConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import { planReport } from "../report/planReport.ts";
import type { TrainOptions } from "./train.ts";

export type PlanOptions = Pick<TrainOptions, "set" | "json" | "runtime" | "browser"> & { readonly preset: string };

/** @throws EngineError of the configuration or the runtime */
export async function plan(options: PlanOptions, context: CommandContext): Promise<number> {
  const config = await resolveConfig(options, context.presets, context.cwd);
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const document = await runtime.plan({ config, save: [] }, context.signal);
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : planReport(document));
  return EXIT.ok;
}
