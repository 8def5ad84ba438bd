import type { Tensor } from "../autodiff/graph.ts";
import { cosineLoss, stopGradient } from "../autodiff/ssl.ts";
import { requirePositive, requireViews, stackViews } from "./views.ts";

export interface ByolOptions {
  /** Least norm; 1e-12 unless given (F.normalize; DeepMind's rsqrt(max(Σx², 1e-12)) is 1e-6 here). */
  readonly epsilon?: number;
}

/**
 * One direction of BYOL, mean over rows:  ‖p̂ − ẑ‖² = 2 − 2·cos(p, z). Nothing flows back through z.
 *
 * @param p [rows, d], predictions of the online network
 * @param z [rows, d], projections of the target network for the other view
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 */
export function byolDirection(p: Tensor, z: Tensor, { epsilon = 1e-12 }: ByolOptions = {}): Tensor {
  const { pairs } = requireViews("byol", [p, z], 1);
  requirePositive("byol", "epsilon", epsilon);
  return cosineLoss(p, stopGradient(z), { shift: 0, epsilon, offset: 0, slope: 2 / pairs });
}

/**
 * BYOL: the sum of both directions, prediction of each view against the target's projection of the other; range 0 … 8.
 * Two dispatches forward, one backward.
 *
 * @param pa [rows, d], predictions for the first view
 * @param pb [rows, d], for the second
 * @param za [rows, d], the target's projections of the first view
 * @param zb [rows, d], of the second
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 * Source: Grill et al. 2020, eq. 2
 */
export function byol(pa: Tensor, pb: Tensor, za: Tensor, zb: Tensor, { epsilon = 1e-12 }: ByolOptions = {}): Tensor {
  const { pairs } = requireViews("byol", [pa, pb, za, zb], 1);
  requirePositive("byol", "epsilon", epsilon);
  return pa.graph.scope("byol", () =>
    cosineLoss(stackViews(pa, pb), stopGradient(stackViews(za, zb)), {
      shift: pairs,
      epsilon,
      offset: 0,
      slope: 2 / pairs,
    }),
  );
}
