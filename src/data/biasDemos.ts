// Two toy data sets that show which feature a linear encoder learns first: the one that fills more coordinates (extent bias),
// and the one of larger amplitude (amplitude bias).
// Source: "Stepwise Feature Learning in Self-Supervised Learning" (2025), toy models of extent and amplitude bias.

import { assertFinite, assertInteger, dataError } from "./dataError.ts";
import { CounterRandom, MAX_SEED, RandomStream } from "./random.ts";

/** A feature of the data: a direction and the eigenvalue of Γ that belongs to it. */
export interface BiasFeature {
  readonly name: string;
  /** Unit vector e of length m; a linear encoder W has the feature amplitude ‖W e‖. */
  readonly vector: Float64Array<ArrayBuffer>;
  /** Eigenvalue of Γ = E[x x'ᵀ] in expectation. */
  readonly gamma: number;
}

/** Positive pairs that share their features and differ in noise. */
export interface BiasDemo {
  /** Row-major `[n, m]`. */
  readonly viewsA: Float32Array<ArrayBuffer>;
  /** Row-major `[n, m]`; row i is the partner of row i of `viewsA`. */
  readonly viewsB: Float32Array<ArrayBuffer>;
  readonly n: number;
  readonly m: number;
  /** Strongest first. */
  readonly features: readonly BiasFeature[];
}

export interface ExtentBiasOptions {
  /** u32 */
  readonly seed: number;
  /** Pairs; 1000 unless told. */
  readonly n?: number;
  /** Coordinates of the large feature, m_l; 9 unless told. */
  readonly largeExtent?: number;
  /** Coordinates of the small feature, m_s; 1 unless told. */
  readonly smallExtent?: number;
  /** Standard deviation of the noise; 0.01 unless told. */
  readonly noise?: number;
}

/**
 * Extent bias: x = [b_l·1_{m_l}, b_s·1_{m_s}] + noise, with independent b_l, b_s = ±1 shared by the two views of a pair.
 *
 *   Γ = E[x x'ᵀ] has the eigenvalues m_l and m_s; m = m_l + m_s
 *
 * @returns features `large` and `small` (in descending order of γ)
 * @throws EngineError DATA-OPTION
 */
export function extentBias(options: ExtentBiasOptions): BiasDemo {
  const { seed, n = 1000, largeExtent = 9, smallExtent = 1, noise = 0.01 } = options;
  assertInteger("extentBias", "largeExtent", largeExtent, 1, 1 << 16);
  assertInteger("extentBias", "smallExtent", smallExtent, 1, 1 << 16);
  const m = largeExtent + smallExtent;
  const large = new Float64Array(m).fill(1, 0, largeExtent);
  const small = new Float64Array(m).fill(1, largeExtent);
  const signals = [
    { name: "large", signal: large },
    { name: "small", signal: small },
  ];
  return signPairs("extentBias", seed, n, m, noise, signals);
}

export interface AmplitudeBiasOptions {
  /** u32 */
  readonly seed: number;
  /** Pairs; 1000 unless told. */
  readonly n?: number;
  /** Samples of the signal; 96 unless told. */
  readonly m?: number;
  /** c_h; 1 unless told. */
  readonly highAmplitude?: number;
  /** c_l; 0.5 unless told. */
  readonly lowAmplitude?: number;
  /** Periods of the high frequency within m samples: f_h = 2π·periods/m; 32 unless told. */
  readonly highPeriods?: number;
  /** Periods of the low frequency; 8 unless told. */
  readonly lowPeriods?: number;
  /** Standard deviation of the noise; 0.1 unless told. */
  readonly noise?: number;
}

/**
 * Amplitude bias: x[t] = c_h·b_h·sin(f_h t) + c_l·b_l·sin(f_l t) + noise, t = 0 … m − 1, with independent b_h, b_l = ±1
 * shared by the two views of a pair.
 *
 *   Γ = E[x x'ᵀ] has the eigenvalues c_h²·m/2 and c_l²·m/2
 *
 * @returns features `high` and `low` (in descending order of γ)
 * @throws EngineError DATA-OPTION: periods are distinct integers with 0 < periods < m/2, so that the sines are orthogonal
 */
export function amplitudeBias(options: AmplitudeBiasOptions): BiasDemo {
  const { seed, n = 1000, m = 96, noise = 0.1 } = options;
  const { highAmplitude = 1, lowAmplitude = 0.5, highPeriods = 32, lowPeriods = 8 } = options;
  const where = "amplitudeBias";
  assertInteger(where, "m", m, 5, 1 << 16); // two frequencies strictly between 0 and m/2
  const maxPeriods = Math.ceil(m / 2) - 1;
  assertInteger(where, "highPeriods", highPeriods, 1, maxPeriods);
  assertInteger(where, "lowPeriods", lowPeriods, 1, maxPeriods);
  assertFinite(where, "highAmplitude", highAmplitude);
  assertFinite(where, "lowAmplitude", lowAmplitude);
  if (highPeriods === lowPeriods || highAmplitude === 0 || lowAmplitude === 0) {
    throw dataError(
      "DATA-OPTION",
      where,
      `Amplitudes ${highAmplitude} and ${lowAmplitude} with ${highPeriods} and ${lowPeriods} periods do not make two features.`,
      "Give two amplitudes other than 0 and two different numbers of periods.",
      { highAmplitude, lowAmplitude, highPeriods, lowPeriods },
    );
  }
  return signPairs(where, seed, n, m, noise, [
    { name: "high", signal: sine(m, highPeriods, highAmplitude) },
    { name: "low", signal: sine(m, lowPeriods, lowAmplitude) },
  ]);
}

/** amplitude·sin(2π·periods·t/m); the phase is reduced in integers, so the samples repeat exactly. */
function sine(m: number, periods: number, amplitude: number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: m }, (_, t) => amplitude * Math.sin((2 * Math.PI * ((periods * t) % m)) / m));
}

/** x = Σ_f b_f·signal_f + noise; b from stream `data` (index pair·2 + f), noise from stream `noise`, view A first. */
function signPairs(
  where: string,
  seed: number,
  n: number,
  m: number,
  noise: number,
  signals: readonly { readonly name: string; readonly signal: Float64Array<ArrayBuffer> }[],
): BiasDemo {
  assertInteger(where, "seed", seed, 0, MAX_SEED);
  assertInteger(where, "n", n, 1, 1 << 28);
  assertFinite(where, "noise", noise, 0);
  const signs = new CounterRandom(seed, RandomStream.data);
  const normals = new CounterRandom(seed, RandomStream.noise);
  const views = [new Float32Array(n * m), new Float32Array(n * m)] as const;
  for (let pair = 0; pair < n; pair++) {
    const shared = new Float64Array(m);
    signals.forEach(({ signal }, feature) => {
      const sign = signs.sign(pair * signals.length + feature);
      for (let t = 0; t < m; t++) shared[t] = (shared[t] as number) + sign * (signal[t] as number);
    });
    views.forEach((view, which) => {
      for (let t = 0; t < m; t++) {
        const index = pair * m + t;
        view[index] = (shared[t] as number) + noise * normals.normal(which * n * m + index);
      }
    });
  }
  const features = signals.map(({ name, signal }): BiasFeature => {
    const gamma = signal.reduce((sum, value) => sum + value * value, 0);
    return { name, vector: signal.map((value) => value / Math.sqrt(gamma)), gamma };
  });
  return { viewsA: views[0], viewsB: views[1], n, m, features: features.sort((a, b) => b.gamma - a.gamma) };
}
