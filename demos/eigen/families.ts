/** Matrices that are worth watching: families of symmetric matrices by name, order and seed. Entries in f64, rounded to f32 once. */

export interface Family {
  readonly name: string;
  readonly label: string;
  /** One sentence below the choice. */
  readonly about: string;
  readonly isRandom: boolean;
  readonly make: (n: number, seed: number) => Float32Array;
}

type Entry = (i: number, j: number) => number;

export const FAMILIES: readonly Family[] = [
  {
    name: "random",
    label: "Random",
    about: "Gaussian entries: no eigenvalue is special, and each sweep squares what is left once it is small.",
    isRandom: true,
    make: (n, seed) => {
      const normal = normals(seed);
      return fromEntries(n, () => normal() / Math.sqrt(n));
    },
  },
  {
    name: "spectrum",
    label: "Prescribed spectrum, 6 decades",
    about: "Q diag(1 … 10⁻⁶) Qᵀ with a random Q: eigenvalues evenly spread in their logarithm.",
    isRandom: true,
    make: (n, seed) => withSpectrum(n, seed, (i) => 10 ** (-6 * share(i, n))),
  },
  {
    name: "hilbert",
    label: "Hilbert",
    about: "1 / (i + j + 1): nearly singular; all but about ten eigenvalues are below what f32 entries can say.",
    isRandom: false,
    make: (n) => fromEntries(n, (i, j) => 1 / (i + j + 1)),
  },
  {
    name: "wilkinson",
    label: "Wilkinson W⁺",
    about: "Tridiagonal with pairs of eigenvalues that agree to many digits.",
    isRandom: false,
    make: (n) => fromEntries(n, (i, j) => (i === j ? Math.abs(i - (n - 1) / 2) : Math.abs(i - j) === 1 ? 1 : 0)),
  },
  {
    name: "frank",
    label: "Frank, symmetric part",
    about: "(F + Fᵀ)/2 of Frank’s Hessenberg matrix: entries up to n.",
    isRandom: false,
    make: (n) => {
      const frank: Entry = (i, j) => (j >= i - 1 ? n - Math.max(i, j) : 0);
      return fromEntries(n, (i, j) => (frank(i, j) + frank(j, i)) / 2);
    },
  },
  {
    name: "clustered",
    label: "Clustered",
    about: "Four clusters, at 1, −½, 10⁻³ and 0, each 10⁻⁷ wide.",
    isRandom: true,
    make: (n, seed) => withSpectrum(n, seed, (i) => ([1, -0.5, 1e-3, 0][i % 4] ?? 0) + 1e-7 * share(i, n)),
  },
  {
    name: "graded",
    label: "Graded, 12 decades",
    about: "D B D with entries from 1 down to 10⁻¹²: small eigenvalues are found to their own relative accuracy.",
    isRandom: true,
    make: (n, seed) => {
      const normal = normals(seed);
      const d = Array.from({ length: n }, (_, i) => 10 ** (-6 * share(i, n)));
      return fromEntries(n, (i, j) => (d[i] ?? 0) * (d[j] ?? 0) * (i === j ? 1 : (0.2 * normal()) / Math.sqrt(n)));
    },
  },
  {
    name: "lowrank",
    label: "Low rank",
    about: "An eighth of the eigenvalues are 1, ½, ⅓ …; the others are zero.",
    isRandom: true,
    make: (n, seed) => withSpectrum(n, seed, (i) => (i <= n / 8 ? 1 / (i + 1) : 0)),
  },
];

export function familyNamed(name: string): Family | undefined {
  return FAMILIES.find((family) => family.name === name);
}

/** 0 for the first of n, 1 for the last. */
function share(i: number, n: number): number {
  return n === 1 ? 0 : i / (n - 1);
}

/** From the entries with i ≥ j, mirrored. */
function fromEntries(n: number, entry: Entry): Float32Array {
  const a = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = entry(i, j);
      a[i * n + j] = value;
      a[j * n + i] = value;
    }
  }
  return a;
}

/** Q diag(λ) Qᵀ, Q a product of reflections in random directions (Stewart 1980). */
function withSpectrum(n: number, seed: number, eigenvalue: (i: number) => number): Float32Array {
  const normal = normals(seed);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) a[i * n + i] = eigenvalue(i);
  for (let length = 2; length <= n; length++) {
    const v = new Float64Array(n);
    for (let i = n - length; i < n; i++) v[i] = normal();
    reflect(a, v, n);
  }
  return fromEntries(n, (i, j) => a[i * n + j] ?? 0);
}

/** H A H with H = I − 2vvᵀ/vᵀv, as a rank-two update. */
function reflect(a: Float64Array, v: Float64Array, n: number): void {
  const h = 2 / v.reduce((sum, x) => sum + x * x, 0);
  const w = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += (a[i * n + j] ?? 0) * (v[j] ?? 0);
    w[i] = h * sum;
  }
  const vw = v.reduce((sum, x, i) => sum + x * (w[i] ?? 0), 0);
  for (let i = 0; i < n; i++) w[i] = (w[i] ?? 0) - 0.5 * h * vw * (v[i] ?? 0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      a[i * n + j] = (a[i * n + j] ?? 0) - (v[i] ?? 0) * (w[j] ?? 0) - (w[i] ?? 0) * (v[j] ?? 0);
    }
  }
}

/** Standard normal numbers: mulberry32 and Box–Muller. */
function normals(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b1;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
