/** Which variant of jacobi_eigh solves matrices of a given order; shared by the graph's op and the stand-alone solver. */

/** Largest order that one workgroup solves in one short dispatch. */
export const MAX_EIGH_ORDER = 64;

/** Workgroups grow with the number of disjoint rotations in a round, ⌈n/2⌉, whose blocks they share. */
export function eighKnobs(n: number, vectors: boolean) {
  return { WG: n <= 16 ? 16 : n <= 40 ? 32 : 64, N_MAX: Math.ceil(n / 8) * 8, VECTORS: vectors } as const;
}
