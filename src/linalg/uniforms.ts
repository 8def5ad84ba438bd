/** Parameters of all calls of a plan in one uniform buffer; equal contents share a range. */
import type { KernelCall } from "../kernels/call.ts";
import { packParams } from "../kernels/kernel.ts";

/** Uniform ranges must start at multiples of this. */
const UNIFORM_ALIGNMENT = 256;

export interface PackedUniforms {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each call's parameters are. */
  readonly ranges: readonly { readonly offset: number; readonly size: number }[];
}

export function packUniforms(calls: readonly Pick<KernelCall, "kernel" | "params">[]): PackedUniforms {
  const distinct = new Map<string, { readonly packed: Uint8Array; readonly offset: number; readonly size: number }>();
  let end = 0;
  const ranges = calls.map(({ kernel, params }) => {
    const packed = new Uint8Array(packParams(kernel, params));
    const key = packed.join();
    let range = distinct.get(key);
    if (!range) {
      range = { packed, offset: end, size: packed.byteLength };
      distinct.set(key, range);
      end += Math.ceil(packed.byteLength / UNIFORM_ALIGNMENT) * UNIFORM_ALIGNMENT;
    }
    return range;
  });
  const bytes = new Uint8Array(end);
  for (const { packed, offset } of distinct.values()) bytes.set(packed, offset);
  return { bytes, ranges };
}
