/** Takes the place of test/support/device.ts in a page: the browser's WebGPU instead of Dawn. */
import { afterAll, beforeAll } from "vitest";
import { Engine, type EngineRequest } from "../../../src/device/engine.ts";

/** `const engine = useEngine(); … engine()`. Uncaptured GPU errors and leaked buffers fail the file. */
export function useEngine(options: Pick<EngineRequest, "defaultLimits" | "unrollsLoops"> = {}): () => Engine {
  let engine: Engine | undefined;
  const uncaptured: string[] = [];
  beforeAll(async () => {
    // Outside a browser every test is skipped, see skipAll.ts.
    if (!globalThis.navigator?.gpu) return;
    engine = await Engine.request(options);
    engine.device.onuncapturederror = (event) => uncaptured.push(event.error.message);
  });
  afterAll(() => {
    const leaked = engine?.memory.buffers ?? 0;
    engine?.destroy();
    if (uncaptured.length > 0) throw new Error(`uncaptured GPU errors:\n${uncaptured.join("\n")}`);
    if (leaked > 0) throw new Error(`${leaked} buffers were still alive at the end of the file`);
  });
  return () => {
    if (!engine) throw new Error("useEngine: used before the tests began");
    return engine;
  };
}
