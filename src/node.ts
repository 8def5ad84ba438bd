/** Public surface of `eigenstep/node`: an engine in Node through the npm package `webgpu` (Dawn). */
import { Engine, type EngineRequest } from "./device/engine.ts";
import { nodeGpu } from "./device/nodeRuntime.ts";

export { findSwiftShader, type NodeGpu, nodeGpu } from "./device/nodeRuntime.ts";

/**
 * An engine in Node. System GPU drivers are tried first, then SwiftShader beside an installed Chrome or Chromium.
 *
 * @throws EngineError DEVICE-NO-DAWN, DEVICE-NO-DRIVER and those of Engine.request
 */
export async function requestNodeEngine(options: Omit<EngineRequest, "gpu" | "pollsBusily"> = {}): Promise<Engine> {
  const { gpu } = await nodeGpu();
  return Engine.request({ ...options, gpu, pollsBusily: true });
}
