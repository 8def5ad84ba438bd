/** `eigenstep eigh`: eigenvalues of the symmetric matrices in an .npy file. */
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { readNpy, toFloat32 } from "../../data/index.ts";
import { EngineError } from "../../errors.ts";
import { formatNumber } from "../../report/format.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import { nodeSource } from "../nodeFiles.ts";
import type { EighDocument, EighTask } from "../runner/eighTask.ts";
import type { RuntimeName } from "../runtimes/runtime.ts";

export interface EighOptions {
  readonly file: string;
  /** Where the results go: `<out>.values.npy`, `<out>.vectors.npy`; the input's path without .npy unless given. */
  readonly out?: string | undefined;
  readonly vectors: boolean;
  readonly json: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/** Asymmetry beyond this, relative to the largest entry, is no rounding: 8 units in the last place of f32. */
const ASYMMETRY = 2 ** -20;

/** @returns 0 when every matrix was solved, 1 when one was not finite or did not converge */
export async function eigh(options: EighOptions, context: CommandContext): Promise<number> {
  const path = resolve(context.cwd, options.file);
  const prefix = resolve(context.cwd, options.out ?? path.replace(/\.npy$/i, ""));
  const { task, notes } = await readMatrices(path, options.vectors);
  for (const note of notes) context.stderr.write(`note: ${note}\n`);
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const written: string[] = [];
  const document = await runtime.eigh(task, context.signal, async (name, bytes) => {
    const target = `${prefix}.${name}`;
    await writeWhole(target, bytes);
    written.push(target);
  });
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : report(document, written));
  return document.status.every((status) => status === "ok") ? EXIT.ok : EXIT.error;
}

async function readMatrices(path: string, vectors: boolean): Promise<{ task: EighTask; notes: readonly string[] }> {
  const npy = await readNpy(await nodeSource(path));
  const [rows, columns] = npy.shape.slice(-2);
  if (npy.shape.length < 2 || rows === undefined || rows !== columns || rows === 0 || npy.data.length === 0) {
    throw new EngineError({
      code: "DATA-NPY-SHAPE",
      message: `${path} has shape [${npy.shape.join(", ")}]; eigh takes square matrices [..., n, n], at least one`,
      fix: "Save an array whose last two dimensions are equal.",
      where: path,
    });
  }
  const { data, notes } = toFloat32(npy, { allowNonFinite: true });
  const symmetric = npy.data;
  for (let start = 0; start < symmetric.length; start += rows * rows) assertSymmetric(symmetric, start, rows, path);
  const batchShape = npy.shape.slice(0, -2);
  return { task: { kind: "eigh", batchShape, n: rows, vectors, matrices: data }, notes };
}

/** @throws EngineError DATA-ASYMMETRIC naming the largest asymmetry; entries that are not finite are left to the solver's status */
function assertSymmetric(data: ArrayLike<number>, start: number, n: number, path: string): void {
  let largest = 0;
  let worst = { gap: 0, i: 0, j: 0 };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const [lower = 0, upper = 0] = [data[start + i * n + j], data[start + j * n + i]];
      if (!Number.isFinite(lower) || !Number.isFinite(upper)) return;
      largest = Math.max(largest, Math.abs(lower), Math.abs(upper));
      if (Math.abs(lower - upper) > worst.gap) worst = { gap: Math.abs(lower - upper), i, j };
    }
  }
  if (worst.gap <= ASYMMETRY * largest) return;
  const { gap, i, j } = worst;
  throw new EngineError({
    code: "DATA-ASYMMETRIC",
    message: `Matrix ${start / (n * n)} of ${path} is not symmetric: entries (${i}, ${j}) and (${j}, ${i}) differ by ${formatNumber(gap)}, the largest entry is ${formatNumber(largest)}`,
    fix: "Pass (A + Aᵀ)/2, or use a singular value decomposition for a matrix that is not symmetric.",
    where: path,
    detail: { matrix: start / (n * n), row: i, column: j, gap, largest },
  });
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const aside = join(dirname(path), `.eigenstep-${process.pid}.partial`);
  try {
    await writeFile(aside, bytes);
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    throw new EngineError({
      code: "RUN-WRITE",
      message: `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Choose another place with --out.",
      where: path,
      cause,
    });
  }
}

/** Matrices shown in full; the files have them all. */
const SHOWN = 8;

function report(document: EighDocument, written: readonly string[]): string {
  const lines: string[] = [];
  for (let g = 0; g < Math.min(document.batch, SHOWN); g++) {
    const values = document.values[g] ?? [];
    const shown = values.slice(0, SHOWN).map((value) => (value === null ? "-" : formatNumber(value)));
    const quality = `${document.sweeps[g]} sweeps, residual ${(document.residual[g] ?? Number.NaN).toExponential(1)}, orthogonality ${(document.orthogonality[g] ?? Number.NaN).toExponential(1)}`;
    const status = document.status[g] === "ok" ? quality : `${document.status[g]}`;
    lines.push(`matrix ${g}: ${shown.join("  ")}${values.length > SHOWN ? "  …" : ""}`, `  ${status}`);
  }
  if (document.batch > SHOWN) lines.push(`… and ${document.batch - SHOWN} more`);
  return `${[...lines, ...written.map((path) => `written: ${path}`)].join("\n")}\n`;
}
