/** The data folder of a task that cannot do without. */
import type { DataFolder } from "../../data/byteSource.ts";
import { EngineError } from "../../errors.ts";
import type { NetworkConfig } from "../../experiments/network/config.ts";

/** @throws EngineError DATA-NO-FOLDER */
export function withData(folder: DataFolder | undefined, { data: { source } }: NetworkConfig): DataFolder {
  if (folder) return folder;
  throw new EngineError({
    code: "DATA-NO-FOLDER",
    message: `The data set ${source} needs a folder with its files`,
    fix: "Pass --data DIR.",
    where: source,
  });
}
