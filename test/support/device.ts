/** The test device: Dawn in Node, one engine for all test files of the process, every use inside error scopes. */
import { afterAll, beforeAll } from "vitest";
import { Engine } from "../../src/device/engine.ts";
import { nodeGpu } from "../../src/device/nodeRuntime.ts";

let gpu: Promise<GPU> | undefined;

/** Dawn's entry point; a machine without any driver fails here, loudly, rather than skipping. */
export function testGpu(): Promise<GPU> {
  gpu ??= nodeGpu({
    // SwiftShader zeroes workgroup memory by unrolled stores, which makes pipelines compile for seconds; tests do without.
    toggles: ["disable_workgroup_init"],
  }).then((runtime) => runtime.gpu);
  return gpu;
}

/**
 * An engine for the tests of one file: `const engine = useEngine(); … engine()`. Uncaptured GPU errors and leaked buffers fail the file.
 */
export function useEngine(options: { readonly defaultLimits?: boolean } = {}): () => Engine {
  let engine: Engine | undefined;
  const uncaptured: string[] = [];
  beforeAll(async () => {
    engine = await Engine.request({ gpu: await testGpu(), ...options });
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
