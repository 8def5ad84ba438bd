/** The command line: verbs, options and their help. Parsing only; each verb is a function of its own. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EngineError } from "../errors.ts";
import type { SaveItem } from "../experiments/contract.ts";
import { SUITE_NAMES, type SuiteName } from "./bench/contract.ts";
import { bench } from "./commands/bench.ts";
import { eigh } from "./commands/eigh.ts";
import { evaluate } from "./commands/evaluate.ts";
import { info } from "./commands/info.ts";
import { plan } from "./commands/plan.ts";
import { report, type ScaleOption } from "./commands/report.ts";
import { serve } from "./commands/serve.ts";
import { STAIRCASE_SIZES, type StaircaseSize, staircases } from "./commands/staircases.ts";
import { svd } from "./commands/svd.ts";
import { train } from "./commands/train.ts";
import { views } from "./commands/views.ts";
import { addCompletion, COMPLETION_HELP } from "./completion.ts";
import type { CommandContext } from "./context.ts";
import { EXIT } from "./exitCodes.ts";
import { EIGH_HELP, EVAL_HELP, PROGRAM_HELP, STAIRCASES_HELP, SVD_HELP, TRAIN_HELP } from "./help.ts";
import { RUNTIME_NAMES, type RuntimeName } from "./runtimes/runtime.ts";

const SAVE_ITEMS: readonly SaveItem[] = ["views", "weights", "embeddings", "spectrum"];

interface CommonOptions {
  readonly runtime?: RuntimeName;
  readonly browser?: string;
  readonly json?: true;
}

interface ExperimentOptions extends CommonOptions {
  readonly set?: readonly string[];
}

interface TrainFlags extends ExperimentOptions {
  readonly data?: string;
  readonly out?: string;
  readonly steps?: number;
  readonly seed?: number;
  readonly save?: readonly SaveItem[];
  readonly resume?: string;
  readonly quiet?: true;
}

interface SolveFlags extends CommonOptions {
  readonly vectors?: true;
  readonly out?: string;
}

interface BenchFlags extends CommonOptions {
  readonly peers?: true;
  readonly only?: string;
  readonly soak?: number;
  readonly out?: string;
}

interface EvalFlags extends CommonOptions {
  readonly data?: string;
  readonly protocol: "converged" | "adam";
  readonly neighbors: number;
  readonly temperature: number;
}

interface ViewsFlags extends ExperimentOptions {
  readonly data?: string;
  readonly images: number;
  readonly out?: string;
  readonly seed?: number;
}

interface ReportFlags {
  readonly json?: true;
  readonly out?: string;
  readonly svg?: true;
  readonly columns?: boolean;
  readonly time?: ScaleOption;
  readonly eigenvalues?: ScaleOption;
}

interface StaircasesFlags extends ExperimentOptions {
  readonly data?: string;
  readonly out?: string;
  readonly seeds?: number;
  readonly quiet?: true;
}

interface ServeFlags {
  readonly port?: number;
  readonly open?: true;
  readonly json?: true;
}

/**
 * Parses `args` (without node and script) and runs the verb.
 *
 * @returns the exit code
 * @throws EngineError CLI-USAGE for a faulty command line, and whatever the verb throws
 */
export async function runCommand(args: readonly string[], context: CommandContext): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(context, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // --help and --version end parsing by an exception, too.
    if (error.exitCode === 0) return EXIT.ok;
    throw usageError(error, args);
  }
  return exitCode;
}

function createProgram(context: CommandContext, done: (code: number) => void): Command {
  const program = new Command("eigenstep")
    .description(
      "Trains self-supervised encoders on the GPU and shows embeddings being learned one eigenvalue at a time.",
    )
    .version(context.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      // Faults of the command line are reported like every other error.
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(context.stdout.columns ?? 80, 100),
    })
    .showSuggestionAfterError()
    .addHelpText("after", PROGRAM_HELP);
  const presets = Object.keys(context.presets).sort();

  const plainVerb = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option("--json", "print one JSON document on stdout and nothing else there");
  const verb = (name: string, description: string) =>
    plainVerb(name, description).option("--browser <path>", "browser to start instead of the one that is found");
  const runtime = () => new Option("--runtime <name>", "where to run").choices(RUNTIME_NAMES);
  const onExperiment = (command: Command, argument: string) =>
    command
      .argument(argument, "name of a preset, or path of a run's config.json")
      .option("--set <path=value>", "change a value of the configuration, e.g. data.images=256 (repeatable)", collect)
      .addOption(runtime().default("chrome"))
      .addHelpText("after", `\nPresets: ${presets.join(", ")}`);

  onExperiment(verb("train", "train an encoder and compare it with theory"), "[preset]")
    .option("--resume <run>", "go on with an interrupted run from its last checkpoint")
    .option("--data <dir>", "folder with the data set's files (MNIST comes with eigenstep)")
    .option("--out <dir>", "run folder, new or empty (default: a new one below runs/)")
    .option("--steps <n>", "number of updates", wholeNumber(1))
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0))
    .option("--save <list>", `also save, separated by commas: ${SAVE_ITEMS.join(", ")}`, saveList)
    .option("--quiet", "print nothing but errors")
    .addHelpText("after", TRAIN_HELP)
    .action(async (preset: string | undefined, flags: TrainFlags) => {
      const lists = { set: flags.set ?? [], save: flags.save ?? [], quiet: flags.quiet ?? false };
      done(await train({ ...flags, ...common(flags), preset, ...lists }, context));
    });
  const planVerb = verb("plan", "print what a training step consists of: dispatches, FLOPs, bytes, memory");
  onExperiment(planVerb, "<preset>").action(async (preset: string, flags: ExperimentOptions) => {
    done(await plan({ ...flags, ...common(flags), preset, set: flags.set ?? [] }, context));
  });
  verb("eval", "linear probe and nearest neighbours of a run's encoder, beside the untrained one and the pixels")
    .argument("<run>", "folder of a network run")
    .option("--data <dir>", "folder with the data set's labelled files (MNIST comes with eigenstep)")
    .addOption(
      new Option("--protocol <name>", "how the linear probe is trained")
        .choices(["converged", "adam"])
        .default("converged"),
    )
    .option("--neighbors <k>", "neighbours that vote", wholeNumber(1), 20)
    .option("--temperature <tau>", "weight of a neighbour: exp(cosine/tau)", positiveNumber, 0.07)
    .addOption(runtime().default("chrome"))
    .addHelpText("after", EVAL_HELP)
    .action(async (run: string, flags: EvalFlags) => {
      done(await evaluate({ ...flags, ...common(flags), run }, context));
    });
  onExperiment(verb("views", "draw the augmented views of a configuration into a PNG file"), "<preset>")
    .option("--data <dir>", "folder with the data set's files (MNIST comes with eigenstep)")
    .option("--images <n>", "images of the first step to show", wholeNumber(1), 8)
    .option("--out <file>", "PNG file (default: PRESET-views.png in this folder)")
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0))
    .action(async (preset: string, flags: ViewsFlags) => {
      done(await views({ ...flags, ...common(flags), preset, set: flags.set ?? [] }, context));
    });
  verb("staircases", "train three losses on small nets and draw their staircases side by side")
    .addArgument(new Argument("[size]", "which presets").choices(STAIRCASE_SIZES).default("tiny"))
    .option("--data <dir>", "folder with the data set's files")
    .option("--out <dir>", "folder of the runs (default: runs/staircases-SIZE)")
    .option("--seeds <n>", "seeds 0 to n - 1 (default: 1)", wholeNumber(1))
    .option("--set <path=value>", "change a value of every run's configuration (repeatable)", collect)
    .addOption(runtime().default("chrome"))
    .option("--quiet", "print nothing but the table and errors")
    .addHelpText("after", STAIRCASES_HELP)
    .action(async (size: StaircaseSize, flags: StaircasesFlags) => {
      const given = { size, seeds: flags.seeds ?? 1, set: flags.set ?? [], quiet: flags.quiet ?? false };
      done(await staircases({ ...flags, ...common(flags), ...given }, context));
    });
  const scale = (flag: string, of: string) =>
    new Option(flag, `scaling of ${of} that is shown first and in SVG files`).choices(["log", "linear"]);
  plainVerb("report", "make a page with the figures of a run, or of several over or beside one another")
    .argument("<run...>", "folders of runs")
    .option("--out <file>", "HTML file (default: report.html in the run's folder; of several runs, in this one)")
    .option("--svg", "also write the figure and each panel as SVG beside the page")
    .option("--columns", "a column for each run (default where their losses or recorded matrices differ)")
    .option("--no-columns", "all runs over one another, on shared axes (default otherwise)")
    .addOption(scale("--time <scale>", "t"))
    .addOption(scale("--eigenvalues <scale>", "the eigenvalues"))
    .action(async (runs: readonly string[], flags: ReportFlags) => {
      done(await report({ ...flags, runs, svg: flags.svg ?? false, json: flags.json ?? false }, context));
    });
  program
    .command("serve")
    .description("serve the live demos on this computer's loopback address until Ctrl-C")
    .option("--port <n>", "port to listen on (default: 4173, or a free one when it is taken)", portNumber)
    .option("--open", "open the page in the default browser")
    .option("--json", "print one JSON document with the address on stdout and nothing else there")
    .action(async (flags: ServeFlags) => {
      done(await serve({ ...flags, open: flags.open ?? false, json: flags.json ?? false }, context));
    });
  const solver = (name: string, description: string, argument: string) =>
    verb(name, description)
      .argument("<file.npy>", argument)
      .option("--vectors", "compute and write the vectors, too (as columns, in the order of the values)")
      .option("--out <prefix>", "results go to <prefix>.values.npy and so on (default: beside the file)")
      .addOption(runtime().default("chrome"));
  solver("eigh", "eigenvalues of symmetric matrices, in f32 on the GPU", "matrices [..., n, n] in f32 or f64, n ≤ 2048")
    .addHelpText("after", EIGH_HELP)
    .action(async (file: string, flags: SolveFlags) => {
      done(await eigh({ ...flags, ...common(flags), file, vectors: flags.vectors ?? false }, context));
    });
  const sides = "matrices [..., rows, columns] in f32 or f64, one side at most 1024, the other at most 65536";
  solver("svd", "singular values of matrices, in f32 on the GPU", sides)
    .addHelpText("after", SVD_HELP)
    .action(async (file: string, flags: SolveFlags) => {
      done(await svd({ ...flags, ...common(flags), file, vectors: flags.vectors ?? false }, context));
    });
  verb("bench", "verify the kernels of a suite against float64, then time them")
    .addArgument(new Argument("[suite]", "what to measure (default: everything)").choices(SUITE_NAMES))
    .option("--peers", "beside the alternatives, in the same browser page (their npm packages must be installed)")
    .option("--only <text>", "only rows whose names contain the text")
    .option("--soak <steps>", "in the suite step: so many steps, for speed, memory and objects", wholeNumber(1))
    .option("--out <file>", "also write the JSON document there")
    .addOption(runtime().default("chrome"))
    .action(async (suite: SuiteName | undefined, flags: BenchFlags) => {
      done(await bench({ ...flags, ...common(flags), suite, peers: flags.peers ?? false }, context));
    });
  verb("info", "show adapters, features and limits of every runtime, and check the kernels")
    .addOption(runtime())
    .action(async (flags: CommonOptions) => {
      done(await info({ ...flags, json: flags.json ?? false }, context));
    });
  addCompletion(program, presets);
  program.commands.find((command) => command.name() === "complete")?.addHelpText("after", COMPLETION_HELP);
  return program;
}

function common(flags: CommonOptions): { readonly json: boolean; readonly runtime: RuntimeName } {
  return { json: flags.json ?? false, runtime: flags.runtime ?? "chrome" };
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number, ${least} or more.`);
  };
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("It must be a positive number.");
}

function portNumber(text: string): number {
  const port = wholeNumber(1)(text);
  if (port <= 65535) return port;
  throw new InvalidArgumentError("A port is a number from 1 to 65535.");
}

function saveList(text: string): readonly SaveItem[] {
  const items = text.split(",").map((item) => item.trim());
  const unknown = items.find((item) => !SAVE_ITEMS.includes(item as SaveItem));
  if (unknown === undefined) return [...new Set(items as SaveItem[])];
  throw new InvalidArgumentError(`There is no "${unknown}" to save; there are ${SAVE_ITEMS.join(", ")}.`);
}

function usageError(error: CommanderError, args: readonly string[]): EngineError {
  const verb = args.find((arg) => !arg.startsWith("-"));
  const isHelp = error.code === "commander.help";
  const [first = "", ...rest] = error.message
    .replace(/^error: /, "")
    .trim()
    .split("\n");
  return new EngineError({
    code: "CLI-USAGE",
    message: isHelp
      ? "No verb was given; there are train, plan, staircases, report, eval, views, eigh, svd, bench, serve, info and complete"
      : first,
    fix: [
      ...rest.map((line) => line.replace(/[()]/g, "")),
      `See eigenstep ${verb && !isHelp && error.code !== "commander.unknownCommand" ? `${verb} ` : ""}--help.`,
    ].join(" "),
  });
}
