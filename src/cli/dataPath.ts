/** Which folder a run reads its images from. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { EngineError } from "../errors.ts";
import type { RunConfig } from "../experiments/contract.ts";
import { fileSourceOf } from "../experiments/experiments.ts";
import type { CommandContext } from "./context.ts";
import { nodeFolder } from "./nodeFiles.ts";

/** Where the data sets come from that are not embedded. */
const DOWNLOADS = {
  cifar10: {
    name: "CIFAR-10",
    archive: "cifar-10-binary.tar.gz",
    page: "https://www.cs.toronto.edu/~kriz/cifar.html",
  },
  stl10: { name: "STL-10", archive: "stl10_binary.tar.gz", page: "https://cs.stanford.edu/~acoates/stl10" },
} as const;

/**
 * `--data`, or the embedded MNIST files; undefined for synthetic data.
 *
 * @throws EngineError CONFIG-DATA (the data set needs --data, or has no use for it), DATA-FOLDER, DATA-UNREADABLE, DATA-MNIST-PACKAGE
 */
export async function dataPathFor(
  config: RunConfig,
  given: string | undefined,
  context: Pick<CommandContext, "cwd" | "mnistFolder">,
): Promise<string | undefined> {
  const source = fileSourceOf(config);
  if (given === undefined) {
    if (source === undefined) return undefined;
    if (source === "mnist") return context.mnistFolder();
    const { name, archive, page } = DOWNLOADS[source];
    throw new EngineError({
      code: "CONFIG-DATA",
      message: `${config.preset} reads ${name}, which does not come with eigenstep`,
      fix: `Download ${archive} from ${page}, unpack it, and give the folder with --data DIR.`,
      where: "--data",
    });
  }
  if (source === undefined) {
    throw new EngineError({
      code: "CONFIG-DATA",
      message: `${config.preset} makes its own data and reads no files`,
      fix: "Leave out --data.",
      where: "--data",
    });
  }
  const path = resolve(context.cwd, given);
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) {
    throw new EngineError({
      code: "DATA-FOLDER",
      message: info ? `--data ${path} is a file, not a folder` : `The data folder ${path} does not exist`,
      fix: "Give the folder that holds the data set's files with --data DIR.",
      where: "--data",
    });
  }
  // Fails with the reason when the folder cannot be read.
  await nodeFolder(path).list();
  return path;
}
