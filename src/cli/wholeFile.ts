/** Writes a result so that it is whole or not there. */
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EngineError } from "../errors.ts";

/**
 * Written aside and renamed.
 *
 * @param fix remedy when the place cannot be written
 * @throws EngineError RUN-WRITE
 */
export async function writeWhole(path: string, content: Uint8Array | string, fix: string): Promise<void> {
  const aside = join(dirname(path), `.eigenstep-${process.pid}.partial`);
  try {
    await writeFile(aside, content);
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    throw new EngineError({
      code: "RUN-WRITE",
      message: `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix,
      where: path,
      cause,
    });
  }
}
