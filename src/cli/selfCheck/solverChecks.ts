/** The solvers as wholes, each in every way it is assembled, against the float64 oracles: what single-kernel checks cannot see. */
import * as eigen from "../../../test/oracle/eigh.ts";
import * as singular from "../../../test/oracle/svd.ts";
import { CounterRandom } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { eigh, powSym, svd } from "../../linalg/index.ts";

/** Unit roundoff of f32. */
const U = 2 ** -24;

/** A solver's name and what is wrong with it, if anything. */
export interface SolverFinding {
  readonly name: string;
  readonly fault: string | undefined;
}

/** Orders on both sides of the one-workgroup limit; tall, square and wide rectangles. */
export async function checkSolvers(engine: Engine): Promise<readonly SolverFinding[]> {
  return [await checkEigh(engine, 37), await checkEigh(engine, 170), await checkSvd(engine), await checkPower(engine)];
}

function normals(count: number, stream: number): Float32Array {
  return Float32Array.from(new CounterRandom(1, stream).normals(count));
}

/** Largest distance between two lists, in units of `unit`. */
function distance(got: ArrayLike<number>, exact: ArrayLike<number>, unit: number): number {
  return (
    Array.from(exact).reduce((worst, value, i) => Math.max(worst, Math.abs((got[i] ?? Number.NaN) - value)), 0) / unit
  );
}

async function checkEigh(engine: Engine, n: number): Promise<SolverFinding> {
  const g = normals(n * n, n);
  const a = g.map((value, at) => value + (g[(at % n) * n + Math.floor(at / n)] ?? 0));
  const { values, vectors } = await eigh(engine, a, { n, vectors: true });
  const exact = eigen.eigh(a, n).values;
  const scale = Math.max(Math.abs(exact[0] ?? 0), Math.abs(exact[n - 1] ?? 0));
  // Eigenvalues within 8·√n·u·|λ|_max and ‖AV − VΛ‖_F within 4·n·u·‖A‖_F (docs/numerics.md).
  const error = distance(values, exact, 8 * Math.sqrt(n) * U * scale);
  const residual = eigen.residualNorm(a, n, { values, vectors }) / (4 * n * U * Math.hypot(...exact));
  return { name: `eigh of order ${n}`, fault: beyond({ eigenvalues: error, residual }) };
}

async function checkSvd(engine: Engine): Promise<SolverFinding> {
  const [rows, columns] = [50, 12];
  const z = normals(rows * columns, 3);
  const { values } = await svd(engine, z, { rows, columns });
  const exact = singular.svd(z, rows, columns).values;
  return {
    name: "svd",
    fault: beyond({ "singular values": distance(values, exact, 2 * columns * U * (exact[0] ?? 0)) }),
  };
}

async function checkPower(engine: Engine): Promise<SolverFinding> {
  const n = 9;
  const a = Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 2 + at / n : 0.1));
  const { powers } = await powSym(engine, a, { n, exponent: 0.5 });
  const squared = a.map((_, at) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += (powers[Math.floor(at / n) * n + k] ?? 0) * (powers[k * n + (at % n)] ?? 0);
    return sum;
  });
  return { name: "powSym", fault: beyond({ "the root squared": distance(squared, a, 40 * n * U * 10) }) };
}

/** Names the first quantity above its bound, as a multiple of it; NaN counts as above. */
function beyond(quantities: Readonly<Record<string, number>>): string | undefined {
  const worst = Object.entries(quantities).find(([, value]) => !(value <= 1));
  return worst ? `${worst[0]} off by ${worst[1].toFixed(2)} of the bound` : undefined;
}
