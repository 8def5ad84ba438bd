/** Surroundings for running the command inside a test: captured output, a folder of its own, and a runtime without browser or GPU. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { CommandContext } from "../../src/cli/context.ts";
import { exitCodeOf } from "../../src/cli/exitCodes.ts";
import { runCommand } from "../../src/cli/program.ts";
import { errorText } from "../../src/cli/reportError.ts";
import type { Runtime } from "../../src/cli/runtimes/runtime.ts";
import type { AdapterDescription } from "../../src/device/adapter.ts";
import type { Engine } from "../../src/device/engine.ts";
import { build, inputDigest, isFresh } from "../../tools/build.mjs";
import { describePlan, presets, runExperiment } from "./fakeExperiment.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export const adapter: AdapterDescription = {
  vendor: "acme",
  architecture: "test",
  device: "",
  description: "",
  isSoftware: false,
  features: [],
  limits: {
    maxBufferSize: 1024,
    maxStorageBufferBindingSize: 1024,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupsPerDimension: 65535,
  },
};

/** The double of the experiment on an engine that is only an adapter description. */
export const fakeRuntime: Runtime = {
  name: "node",
  train: ({ config, save }, sink, signal) =>
    runExperiment({ adapter } as unknown as Engine, { config, save }, sink, signal),
  plan: describePlan,
  eigh: () => Promise.reject(new Error("the double solves no matrices")),
  svd: () => Promise.reject(new Error("the double solves no matrices")),
  eval: () => Promise.reject(new Error("the double evaluates nothing")),
  views: () => Promise.reject(new Error("the double draws no views")),
  bench: () => Promise.reject(new Error("the double measures nothing")),
  info: async () => ({ adapter, host: "a double", selfCheck: { ok: true, message: "nothing was checked" } }),
};

/** A new empty folder, removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "eigenstep-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly cwd: string;
}

/** Runs the command in this process, as src/cli/main.ts would. */
export async function command(args: readonly string[], changes: Partial<CommandContext> = {}): Promise<Ran> {
  const cwd = changes.cwd ?? (await temporaryFolder());
  let stdout = "";
  let stderr = "";
  const context: CommandContext = {
    version: "1.2.3",
    stdout: { write: (text) => (stdout += text), columns: 80 },
    stderr: { write: (text) => (stderr += text) },
    cwd,
    now: () => new Date(2025, 0, 2, 3, 4, 5),
    signal: new AbortController().signal,
    packageRoot: root,
    demosRoot: cwd,
    presets,
    openRuntime: () => fakeRuntime,
    mnistFolder: () => cwd,
    ...changes,
  };
  let code: number;
  try {
    code = await runCommand(args, context);
  } catch (error) {
    stderr += errorText(error);
    code = exitCodeOf(error);
  }
  return { code, stdout, stderr, cwd };
}

const doubleDist = join(root, "node_modules", ".cache", "eigenstep", "test-dist");
let doubleBuild: Promise<string> | undefined;

/** The command built with the double, for tests of the process and the page around an experiment; built once. */
export function distWithDouble(): Promise<string> {
  doubleBuild ??= (async () => {
    const digest = inputDigest([fileURLToPath(new URL("fakeExperiment.ts", import.meta.url))]);
    if (!isFresh(doubleDist, digest)) {
      await build({ outDir: doubleDist, digest, experiment: join(root, "test", "cli", "fakeExperiment.ts") });
    }
    return doubleDist;
  })();
  return doubleBuild;
}

/** The real build. */
export async function dist(): Promise<string> {
  const digest = inputDigest();
  if (!isFresh(undefined, digest)) await build({ digest });
  return join(root, "dist");
}

export interface ProcessOptions {
  readonly cwd: string;
  readonly distPath: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with everything written to stderr so far, whenever there is more. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** Runs `eigenstep` as a process. */
export function eigenstep(args: readonly string[], options: ProcessOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "bin", "eigenstep.mjs"), ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env, EIGENSTEP_DIST: options.distPath },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      options.onStderr?.(stderr, (signal) => child.kill(signal));
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, stdout, stderr, cwd: options.cwd }));
  });
}

/** True when nothing exists at the path. */
export function isAbsent(path: string): boolean {
  return !existsSync(path);
}
