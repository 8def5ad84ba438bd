/** The test device: Dawn in Node, one engine for the test files of a process, every use inside error scopes. */
import { afterAll, beforeAll } from "vitest";
import { Engine, type EngineRequest } from "../../src/device/engine.ts";
import { nodeGpu } from "../../src/device/nodeRuntime.ts";

let gpu: Promise<GPU> | undefined;

/** Dawn's entry point; a machine without any driver fails here, loudly, rather than skipping. */
export function testGpu(): Promise<GPU> {
  gpu ??= nodeGpu({
    // SwiftShader zeroes workgroup memory by unrolled stores, which makes pipelines compile for seconds; clamped indices and guarded
    // divisions cost a third of the rest. No kernel may need them: here, an index out of bounds is an error that shows. Tests in browsers
    // and of the command run with them.
    toggles: ["disable_workgroup_init", "disable_robustness", "disable_polyfills_on_integer_div_and_mod"],
  }).then((runtime) => runtime.gpu);
  return gpu;
}

/** Engines of this process by their options. Test files share them, and with them the pipelines that software adapters compile for long. */
const engines = new Map<string, Promise<Engine>>();

/** `unrollsLoops: false` for graphs and whole steps, which compile much and run it once; test/kernels/unroll.test.ts asks for equal bits. */
type Options = Pick<EngineRequest, "defaultLimits" | "unrollsLoops">;

async function sharedEngine(options: Options): Promise<Engine> {
  const key = JSON.stringify([options.defaultLimits ?? false, options.unrollsLoops ?? true]);
  const open = () => testGpu().then((gpu) => Engine.request({ gpu, ...options }));
  let engine = engines.get(key) ?? open();
  // One that a test lost is not handed to the next file.
  if (await isLost(await engine)) engine = open();
  engines.set(key, engine);
  return engine;
}

function isLost(engine: Engine): Promise<boolean> {
  return Promise.race([engine.lost.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
}

/**
 * The engine for the tests of a file: `const engine = useEngine(); … engine()`. Uncaptured GPU errors and leaked buffers fail the file.
 */
export function useEngine(options: Options = {}): () => Engine {
  let engine: Engine | undefined;
  let before = 0;
  const uncaptured: string[] = [];
  beforeAll(async () => {
    engine = await sharedEngine(options);
    before = engine.memory.buffers;
    engine.device.onuncapturederror = (event) => uncaptured.push(event.error.message);
  });
  afterAll(() => {
    const leaked = (engine?.memory.buffers ?? 0) - before;
    if (uncaptured.length > 0) throw new Error(`uncaptured GPU errors:\n${uncaptured.join("\n")}`);
    if (leaked > 0) throw new Error(`${leaked} buffers were still alive at the end of the file`);
  });
  return () => {
    if (!engine) throw new Error("useEngine: used before the tests began");
    return engine;
  };
}
