/** Runs WebGPU calls inside error scopes, so that a GPU error becomes an exception that names what was being made. */
import { EngineError } from "../errors.ts";

/**
 * @param what names the work in the message
 * @param work synchronous WebGPU calls
 * @throws EngineError LIMIT-MEMORY for out-of-memory, DEVICE-VALIDATION for a validation error, DEVICE-INTERNAL otherwise
 */
export async function withErrorScopes<T>(device: GPUDevice, what: string, work: () => T): Promise<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("internal");
  device.pushErrorScope("validation");
  let result: T | undefined;
  let thrown: unknown;
  let hasThrown = false;
  try {
    result = work();
  } catch (error) {
    thrown = error;
    hasThrown = true;
  }
  // All scopes are popped before the first await, so that concurrent callers cannot interleave theirs.
  const [validation, internal, memory] = await Promise.all([
    device.popErrorScope(),
    device.popErrorScope(),
    device.popErrorScope(),
  ]);
  if (hasThrown) throw thrown;
  if (memory) {
    throw new EngineError({
      code: "LIMIT-MEMORY",
      message: `Out of GPU memory while making ${what}: ${memory.message}`,
      fix: "Use a smaller batch or model, or close other programs that use the GPU.",
      where: what,
    });
  }
  const error = validation ?? internal;
  if (error) {
    throw new EngineError({
      code: validation ? "DEVICE-VALIDATION" : "DEVICE-INTERNAL",
      message: `WebGPU rejected ${what}: ${error.message}`,
      fix: "This is a defect in eigenstep or the driver; please report it with the output of `eigenstep info`.",
      where: what,
    });
  }
  return result as T;
}
