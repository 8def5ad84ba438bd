/** Writes the files of a report: all of them, or none. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EngineError } from "../../errors.ts";

export interface OutputFile {
  readonly path: string;
  readonly content: string;
}

/**
 * Every file is made aside before the first one takes its place. All lie in one folder, which exists.
 *
 * @throws EngineError REPORT-WRITE
 */
export async function writeFiles(outputs: readonly OutputFile[]): Promise<void> {
  const folder = dirname(outputs[0]?.path ?? ".");
  const aside = await mkdtemp(join(folder, ".eigenstep-report-")).catch((cause: unknown) => {
    throw unwritable(folder, cause);
  });
  try {
    for (const [index, { content }] of outputs.entries()) await writeFile(join(aside, String(index)), content);
    for (const [index, { path }] of outputs.entries()) await rename(join(aside, String(index)), path);
  } catch (cause) {
    throw unwritable(folder, cause);
  } finally {
    await rm(aside, { recursive: true, force: true }).catch(() => {});
  }
}

function unwritable(folder: string, cause: unknown): EngineError {
  return new EngineError({
    code: "REPORT-WRITE",
    message: `The report cannot be written to ${folder}: ${cause instanceof Error ? cause.message : cause}`,
    fix: "Choose another file with --out, in a folder that exists and that you may write to.",
    where: folder,
    cause,
  });
}
