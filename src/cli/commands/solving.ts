/** What `eigh` and `svd` have in common: matrices in, files and a report out. */
import { resolve } from "node:path";
import { type NpyArray, readNpy, toFloat32 } from "../../data/index.ts";
import { EngineError } from "../../errors.ts";
import { formatNumber } from "../../report/format.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import { nodeSource } from "../nodeFiles.ts";
import type { SolveDocument } from "../runner/solveDocument.ts";
import type { OnFile, RuntimeName } from "../runtimes/runtime.ts";
import { writeWhole } from "../wholeFile.ts";

export interface SolveOptions {
  readonly file: string;
  /** Where the results go: `<out>.values.npy` and so on; the input's path without .npy unless given. */
  readonly out?: string | undefined;
  readonly vectors: boolean;
  readonly json: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/** A stack of matrices from a file. */
export interface MatrixFile {
  readonly path: string;
  readonly npy: NpyArray;
  /** All dimensions but the last two. */
  readonly batchShape: readonly number[];
  readonly rows: number;
  readonly columns: number;
  /** f32, row-major. */
  readonly matrices: Float32Array;
  /** What was done to the numbers, for people. */
  readonly notes: readonly string[];
}

/** @throws EngineError DATA-NPY-SHAPE for what is no matrix, and what reading .npy files throws */
export async function readMatrices(file: string, takes: string, context: CommandContext): Promise<MatrixFile> {
  const path = resolve(context.cwd, file);
  const npy = await readNpy(await nodeSource(path));
  const [rows = 0, columns = 0] = npy.shape.slice(-2);
  if (npy.shape.length < 2 || npy.data.length === 0) throw notMatrices(path, npy.shape, takes);
  const { data, notes: lost } = toFloat32(npy, { allowNonFinite: true });
  const notes = npy.dtype === "f8" ? [`${path} holds float64; the work is in float32.`, ...lost] : lost;
  return { path, npy, batchShape: npy.shape.slice(0, -2), rows, columns, matrices: data, notes };
}

export function notMatrices(path: string, shape: readonly number[], takes: string): EngineError {
  return new EngineError({
    code: "DATA-NPY-SHAPE",
    message: `${path} has shape [${shape.join(", ")}]; ${takes}, at least one`,
    fix: "Save an array whose last two dimensions are the matrices'.",
    where: path,
  });
}

/**
 * Runs a solver and reports.
 *
 * @param solve executes the task, handing its files to the sink
 * @returns     0 when every matrix was solved, 1 when one was not finite or did not converge
 */
export async function solveAndReport(
  options: SolveOptions,
  input: MatrixFile,
  context: CommandContext,
  solve: (onFile: OnFile) => Promise<SolveDocument>,
): Promise<number> {
  for (const note of input.notes) context.stderr.write(`note: ${note}\n`);
  const prefix = resolve(context.cwd, options.out ?? input.path.replace(/\.npy$/i, ""));
  const written: string[] = [];
  const document = await solve(async (name, bytes) => {
    const target = `${prefix}.${name}`;
    await writeWhole(target, bytes, "Choose another place with --out.");
    written.push(target);
  });
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : report(document, written));
  return document.status.every((status) => status === "ok") ? EXIT.ok : EXIT.error;
}

/** Matrices, and values of each, that are shown; the files have them all. */
const SHOWN = 8;

const HOW: Readonly<Record<SolveDocument["measured"], string>> = {
  all: "",
  sample: "residual and orthogonality are estimated from a sample of the vectors, in float64\n",
  gpu: "the residual is the off-diagonal left on the GPU; --vectors measures it, and the orthogonality, in float64\n",
};

function report(document: SolveDocument, written: readonly string[]): string {
  const lines: string[] = [];
  for (let g = 0; g < Math.min(document.batch, SHOWN); g++) {
    const values = document.values[g] ?? [];
    const shown = values.slice(0, SHOWN).map((value) => (value === null ? "-" : formatNumber(value)));
    const quality = [`${document.sweeps[g]} sweeps`, measure("residual", document.residual[g])];
    if (document.measured !== "gpu") quality.push(measure("orthogonality", document.orthogonality[g]));
    const status = document.status[g] ?? "ok";
    lines.push(
      `matrix ${g}: ${shown.join("  ")}${values.length > SHOWN ? "  …" : ""}`,
      `  ${status === "ok" ? quality.join(", ") : status}`,
    );
  }
  if (document.batch > SHOWN) lines.push(`… and ${document.batch - SHOWN} more`);
  return `${[...lines, ...written.map((path) => `written: ${path}`)].join("\n")}\n${HOW[document.measured]}`;
}

function measure(name: string, value: number | null | undefined): string {
  return `${name} ${(value ?? Number.NaN).toExponential(1)}`;
}
