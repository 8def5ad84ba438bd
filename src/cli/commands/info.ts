/** `eigenstep info`: what this machine offers, runtime by runtime, with a self-check of the kernels on each. */
import { adapterLine } from "../../device/adapter.ts";
import { type EngineErrorInit, isEngineError } from "../../errors.ts";
import { formatBytes } from "../../report/format.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import { RUNTIME_NAMES, type RuntimeInfo, type RuntimeName } from "../runtimes/runtime.ts";

export interface InfoOptions {
  readonly json: boolean;
  /** All runtimes when absent. */
  readonly runtime?: RuntimeName | undefined;
  readonly browser?: string | undefined;
}

type Outcome = { readonly info: RuntimeInfo } | { readonly error: EngineErrorInit };

/** Succeeds when at least one of the runtimes works and none of them computes something wrong. */
export async function info(options: InfoOptions, context: CommandContext): Promise<number> {
  const names = options.runtime === undefined ? RUNTIME_NAMES : [options.runtime];
  const outcomes: [RuntimeName, Outcome][] = [];
  for (const name of names) {
    outcomes.push([name, await inspect(name, options, context)]);
    if (!options.json)
      for (const line of lines(...(outcomes.at(-1) as [RuntimeName, Outcome]))) context.stdout.write(`${line}\n`);
  }
  const system = {
    version: context.version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  };
  if (options.json) {
    const runtimes = Object.fromEntries(
      outcomes.map(([name, outcome]) => [name, "info" in outcome ? outcome.info : outcome]),
    );
    context.stdout.write(`${JSON.stringify({ ...system, runtimes })}\n`);
  } else {
    context.stdout.write(`eigenstep ${system.version}, Node ${system.node}, ${system.platform}\n`);
  }
  const checks = outcomes.flatMap(([, outcome]) => ("info" in outcome ? [outcome.info.selfCheck.ok] : []));
  return checks.length > 0 && !checks.includes(false) ? EXIT.ok : EXIT.error;
}

async function inspect(name: RuntimeName, options: InfoOptions, context: CommandContext): Promise<Outcome> {
  try {
    // Without --runtime, --browser is about the browser of the default runtime; it would be none for the others.
    const browserPath = options.runtime === name || name === "chrome" ? options.browser : undefined;
    return { info: await context.openRuntime({ name, browserPath }).info(context.signal) };
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return { error: error.toJSON() };
  }
}

function lines(name: RuntimeName, outcome: Outcome): string[] {
  if ("error" in outcome) {
    return [
      `runtime ${name}: not available`,
      `  ${outcome.error.code}: ${outcome.error.message}`,
      `  fix: ${outcome.error.fix}`,
      "",
    ];
  }
  const { adapter, host, selfCheck } = outcome.info;
  const { limits } = adapter;
  return [
    `runtime ${name}: ${adapterLine(adapter)}`,
    `  host      ${host}`,
    `  features  ${adapter.features.join(", ") || "none"}`,
    `  limits    buffers up to ${formatBytes(limits.maxBufferSize)}, bindings ${formatBytes(limits.maxStorageBufferBindingSize)}, ${limits.maxStorageBuffersPerShaderStage} storage buffers,`,
    `            workgroups of ${limits.maxComputeInvocationsPerWorkgroup} with ${formatBytes(limits.maxComputeWorkgroupStorageSize)}`,
    `  check     ${selfCheck.ok ? "ok" : "FAILED"}: ${selfCheck.message}`,
    "",
  ];
}
