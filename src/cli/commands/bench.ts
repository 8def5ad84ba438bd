/** `eigenstep bench`: verifies, then times, in a browser; `--peers` puts the alternatives beside it. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import { OURS, SUITE_NAMES, type SuiteName } from "../bench/contract.ts";
import { bundlePeers } from "../bench/peerBundle.ts";
import { LEAST_SOAK_STEPS } from "../bench/stepTargets.ts";
import { benchTable } from "../bench/table.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import type { RuntimeName } from "../runtimes/runtime.ts";

export interface BenchOptions {
  /** All suites when absent. */
  readonly suite?: SuiteName | undefined;
  readonly peers: boolean;
  /** Only rows whose names contain this. */
  readonly only?: string | undefined;
  /** Steps of a soak in the suite `step`. */
  readonly soak?: number | undefined;
  readonly json: boolean;
  /** The JSON document goes there, too. */
  readonly out?: string | undefined;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/**
 * @returns 0 when everything of ours was verified, whether or not targets were met; 1 otherwise
 * @throws EngineError BENCH-PEER-MISSING, BENCH-WRITE, BENCH-NOTHING, CLI-USAGE for peers without a browser, a soak of another suite or
 *         one that is too short
 */
export async function bench(options: BenchOptions, context: CommandContext): Promise<number> {
  if (options.peers && options.runtime === "node") {
    throw new EngineError({
      code: "CLI-USAGE",
      message: "--peers needs a browser: the alternatives run on its WebGPU, not on Dawn in Node",
      fix: "Use --runtime chrome, or leave --peers out.",
    });
  }
  const suites = options.suite ? [options.suite] : SUITE_NAMES;
  requireSoak(options.soak, suites);
  const bundle = options.peers ? await bundlePeers(context.packageRoot, suites) : undefined;
  try {
    const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
    const document = await runtime.bench(
      {
        kind: "bench",
        suites,
        peers: options.peers,
        only: options.only,
        soakSteps: options.soak,
        versions: { eigenstep: context.version, ...bundle?.versions },
      },
      context.signal,
      (text) => context.stderr.write(`${text}\n`),
      bundle?.folder,
    );
    const json = `${JSON.stringify(document)}\n`;
    if (options.out !== undefined) await write(resolve(context.cwd, options.out), json);
    context.stdout.write(options.json ? json : benchTable(document));
    const ours = document.rows.filter(({ engine }) => engine === OURS);
    return ours.every(({ verified }) => verified) ? EXIT.ok : EXIT.error;
  } finally {
    await bundle?.remove();
  }
}

function requireSoak(steps: number | undefined, suites: readonly SuiteName[]): void {
  if (steps === undefined || (steps >= LEAST_SOAK_STEPS && suites.includes("step"))) return;
  throw new EngineError({
    code: "CLI-USAGE",
    message: suites.includes("step")
      ? `a soak of ${steps} steps is too short: its end is compared with step 100`
      : `--soak belongs to the suite step, not to ${suites.join(", ")}`,
    fix: `Use eigenstep bench step --soak N with at least ${LEAST_SOAK_STEPS} steps.`,
    where: "--soak",
  });
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause: unknown) => {
    throw new EngineError({
      code: "BENCH-WRITE",
      message: `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Choose another file with --out.",
      where: path,
      cause,
    });
  });
}
