/** Float64 references of shaders/linalg/block_*: rounds of block Jacobi with plain loops (Golub & Van Loan 2013, §8.5.6). */

/** Indices of the rows that make up the tile of a pair of 16-wide blocks in a round: the circle method of tournaments. */
export function pairRows(slot: number, round: number, blocks: number): number[] {
  const circle = Array.from({ length: blocks - 1 }, (_, at) => 1 + ((at + round) % (blocks - 1)));
  const seats = [0, ...circle];
  const [p, q] = [seats[slot]!, seats[blocks - 1 - slot]!].sort((x, y) => x - y) as [number, number];
  return Array.from({ length: 32 }, (_, at) => (at < 16 ? 16 * p + at : 16 * q + at - 16));
}

/** The pairs of a tile in the order they are turned: between the halves only, or all. */
export function tileOrder(isCross: boolean): [number, number][][] {
  if (isCross) {
    return Array.from({ length: 16 }, (_, round) =>
      Array.from({ length: 16 }, (_, slot): [number, number] => [slot, 16 + ((slot + round) % 16)]),
    );
  }
  return Array.from({ length: 31 }, (_, round) => {
    const seats = [0, ...Array.from({ length: 31 }, (_, at) => 1 + ((at + round) % 31))];
    return Array.from({ length: 16 }, (_, slot): [number, number] => [seats[slot]!, seats[31 - slot]!]);
  });
}

export interface SolvedTile {
  /** QᵀTQ, [32, 32]. */
  readonly tile: Float64Array;
  /** Q, [32, 32]. */
  readonly q: Float64Array;
  /** Pairs above the threshold before any rotation. */
  readonly count: number;
}

/** One sweep of rotations on a symmetric [32, 32] tile, of which the lower triangle is read. */
export function solveTile(lower: ArrayLike<number>, isCross: boolean, tolerance: number): SolvedTile {
  const t = new Float64Array(1024);
  const q = new Float64Array(1024);
  for (let r = 0; r < 32; r++) {
    for (let c = 0; c < 32; c++) t[r * 32 + c] = lower[Math.max(r, c) * 32 + Math.min(r, c)]!;
    q[r * 33] = 1;
  }
  const exceeds = (r: number, c: number) =>
    Math.abs(t[r * 32 + c]!) > tolerance * Math.sqrt(Math.abs(t[r * 33]! * t[c * 33]!));
  const rounds = tileOrder(isCross);
  let count = 0;
  for (const pairs of rounds) for (const [r, c] of pairs) if (exceeds(r, c)) count++;
  for (const [r, c] of rounds.flat()) {
    if (!exceeds(r, c)) continue;
    const angle = 0.5 * Math.atan2(2 * t[r * 32 + c]!, t[c * 33]! - t[r * 33]!);
    // The smaller of the two angles that annihilate.
    const small = angle > Math.PI / 4 ? angle - Math.PI / 2 : angle < -Math.PI / 4 ? angle + Math.PI / 2 : angle;
    const [cosine, sine] = [Math.cos(small), Math.sin(small)];
    const turn = (m: Float64Array, x: number, y: number) => {
      const [a, b] = [m[x]!, m[y]!];
      m[x] = cosine * a - sine * b;
      m[y] = sine * a + cosine * b;
    };
    for (let k = 0; k < 32; k++) turn(t, k * 32 + r, k * 32 + c);
    for (let k = 0; k < 32; k++) turn(t, r * 32 + k, c * 32 + k);
    for (let k = 0; k < 32; k++) turn(q, k * 32 + r, k * 32 + c);
  }
  return { tile: t, q, count };
}

/** X + PᵀX for rows of any length, with Σ|P||X| for bounds. */
export function rotateRows(
  p: ArrayLike<number>,
  x: readonly (readonly number[])[],
): { y: number[][]; sums: number[][] } {
  const y = x.map((row) => [...row]);
  const sums = x.map((row) => row.map(() => 0));
  for (let r = 0; r < 32; r++) {
    for (let k = 0; k < 32; k++) {
      for (let c = 0; c < x[0]!.length; c++) {
        y[r]![c]! += p[k * 32 + r]! * x[k]![c]!;
        sums[r]![c]! += Math.abs(p[k * 32 + r]! * x[k]![c]!);
      }
    }
  }
  return { y, sums };
}

export function transpose(x: readonly (readonly number[])[]): number[][] {
  return x[0]!.map((_, c) => x.map((row) => row[c]!));
}
