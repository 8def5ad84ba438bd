/** The runtime `node`: Dawn in this process. */
import { Engine } from "../../device/engine.ts";
import { nodeGpu } from "../../device/nodeRuntime.ts";
import { GpuCalls } from "../bench/gpuCalls.ts";
import { nodeFolder } from "../nodeFiles.ts";
import { executeTask } from "../runner/task.ts";
import { UNCLAMPED } from "./browserFlags.ts";
import type { Runtime } from "./runtime.ts";
import { taskRuntime } from "./taskRuntime.ts";

/** @param driverFolders further folders in which a software Vulkan driver may lie, e.g. that of a browser fetched during set-up */
export function createNodeRuntime(driverFolders: readonly string[]): Runtime {
  return taskRuntime("node", async (task, sink, signal, dataPath) => {
    const softwareToggles = task.kind === "bench" ? [] : [UNCLAMPED];
    const { gpu, driver } = await nodeGpu({ browserFolders: driverFolders, softwareToggles });
    using gpuCalls = task.kind === "bench" ? GpuCalls.install() : undefined;
    const engine = await Engine.request({ gpu, pollsBusily: true });
    try {
      return await executeTask(engine, task, {
        sink,
        signal,
        gpuCalls,
        data: dataPath === undefined ? undefined : nodeFolder(dataPath),
        host: `Dawn in Node ${process.versions.node}, driver ${driver}`,
      });
    } finally {
      engine.destroy();
    }
  });
}
