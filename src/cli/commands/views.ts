/** `eigenstep views`: a picture of the augmented views that a configuration trains on. */
import { resolve } from "node:path";
import { resolveConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { dataPathFor } from "../dataPath.ts";
import { EXIT } from "../exitCodes.ts";
import { requireNetwork } from "../requireNetwork.ts";
import type { RuntimeName } from "../runtimes/runtime.ts";
import { writeWhole } from "../wholeFile.ts";

export interface ViewsOptions {
  /** Name of a preset or path of a config.json. */
  readonly preset: string;
  readonly data?: string | undefined;
  readonly images: number;
  /** PNG file; `<preset>-views.png` in the current folder unless given. */
  readonly out?: string | undefined;
  readonly seed?: number | undefined;
  readonly set: readonly string[];
  readonly json: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/** @throws EngineError CONFIG-…, DATA-…, RUN-WRITE */
export async function views(options: ViewsOptions, context: CommandContext): Promise<number> {
  const config = requireNetwork(await resolveConfig(options, context.presets, context.cwd), "views");
  const dataPath = await dataPathFor(config, options.data, context);
  if (dataPath === undefined) throw new Error("unreachable: network runs read files");
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const out = resolve(context.cwd, options.out ?? `${config.preset}-views.png`);
  const task = { kind: "views", config, images: options.images, hasData: true } as const;
  const document = await runtime.views(task, dataPath, context.signal, (_name, bytes) =>
    writeWhole(out, bytes, "Choose another file with --out."),
  );
  const { width, height, images } = document;
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ ...document, out })}\n`
      : `${out}  ${width}×${height}, ${images.length} images: source, first view, second view\n`,
  );
  return EXIT.ok;
}
