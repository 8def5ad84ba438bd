/** Multiply-adds from registers alone, as work that can be timed: the arithmetic ceiling, and what products take turns with. */
import type { Engine } from "../../device/engine.ts";
import type { KernelCall } from "../../kernels/call.ts";
import { multiplyAdd } from "../../kernels/library.ts";
import { prepareDispatches } from "./dispatchList.ts";
import type { PreparedWork } from "./peerContract.ts";
import type { Verdict } from "./sideBySide.ts";

/** Which one hides latency best depends on the adapter. */
export interface MultiplyAddVariant {
  readonly chains: number;
  readonly workgroup: number;
}

const INVOCATIONS = 2 ** 15;
/** A multiply and an add in each of four components, four times a round. */
const FLOPS_PER_CHAIN = 4 * 8;
/** Every chain tends to it: no number on the way is denormal or grows. */
const FIXED_POINT = 2;
const UNIT_ROUNDOFF = 2 ** -24;

/** Floating-point operations of one run, a multiply-add counting two. */
export function flopsOf({ chains }: MultiplyAddVariant, rounds: number): number {
  return FLOPS_PER_CHAIN * chains * INVOCATIONS * rounds;
}

/** Rounds that come nearest to `flops` operations; at least one. */
export function roundsFor(variant: MultiplyAddVariant, flops: number): number {
  return Math.max(1, Math.round(flops / flopsOf(variant, 1)));
}

export async function prepareMultiplyAdd(
  engine: Engine,
  variant: MultiplyAddVariant,
  rounds: number,
): Promise<PreparedWork> {
  const { chains, workgroup } = variant;
  const [factor, shift] = [0.5, FIXED_POINT / 2];
  const call: KernelCall = {
    kernel: multiplyAdd,
    knobs: { CHAINS: chains, WG: workgroup },
    params: { groups: INVOCATIONS / workgroup, rounds, factor, shift, start: 0 },
    bindings: { y: { kind: "output", index: 0 } },
  };
  const list = await prepareDispatches(engine, { calls: [call], inputs: [], outputBytes: [16 * INVOCATIONS] });
  return {
    async run() {
      await list.run([]);
    },
    async result() {
      const [bytes] = await list.run([0]);
      return new Float32Array(bytes ?? new ArrayBuffer(0));
    },
    release: () => list[Symbol.dispose](),
  };
}

/**
 * Whether all chains have come to their fixed point, the start being 0. After n = 4·rounds halvings a chain is off by its first distance / 2ⁿ,
 * and by two roundings a step that later steps shrink: u·(4·fixed point + 2·n·distance / 2ⁿ). Adding the chains rounds once for each.
 */
export function checkMultiplyAdd(y: Float32Array, { chains }: MultiplyAddVariant, rounds: number): Verdict {
  const steps = 4 * rounds;
  const exact = FIXED_POINT * chains;
  const left = (chains * (INVOCATIONS + chains)) / 2 ** steps;
  const bound = left + UNIT_ROUNDOFF * ((chains + 5) * exact + (chains + 2 * steps) * left);
  const largest = y.reduce((worst, value) => Math.max(worst, Math.abs(value - exact)), 0);
  return { verified: y.length === 4 * INVOCATIONS && largest <= bound, error: largest / exact };
}
