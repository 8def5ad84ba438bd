/** Every loss of src/ssl beside its float64 definition, for tests of values and of derivatives. */
import type { Tensor } from "../../src/autodiff/graph.ts";
import {
  barlowTwins,
  byol,
  byolDirection,
  crossViewInfoNce,
  exactCovariance,
  infoNce,
  ntXent,
  simpleContrastive,
  simSiam,
  softTriplet,
  spectralContrastive,
  vicreg,
  wMse,
} from "../../src/ssl/index.ts";
import * as oracle from "../oracle/sslLosses.ts";

export type Arrays = readonly Float64Array[];

export interface LossCase {
  readonly name: string;
  /** Of the operands: rows of the batch and dimensions in, shape out. */
  shapes(n: number, d: number): readonly (readonly number[])[];
  build(operands: readonly Tensor[]): Tensor;
  /** `frozen` equals `live`; what the loss holds constant is taken from it. */
  reference(live: Arrays, frozen: Arrays, size: { n: number; d: number }): number;
  /** The loss needs more rows than dimensions. */
  readonly isTall?: boolean;
  /** Run with the workgroups of GPUs too. */
  readonly withGpuKnobs?: boolean;
  /** Largest error of the gradient allowed, in units of u = 2⁻²⁴ relative to its largest entry; 20 unless given (largest seen 8.6). */
  readonly gradientError?: number;
}

const two = (n: number, d: number) => [
  [n, d],
  [n, d],
];
const NEGATIVES = 3;
const three = (n: number, d: number) => [...two(n, d), [n, d]];
const many = (n: number, d: number) => [...two(n, d), [n, NEGATIVES, d]];
const four = (n: number, d: number) => [...two(n, d), ...two(n, d)];

const vicregDefaults = { invariance: 25, variance: 25, covariance: 1, epsilon: 1e-4, isHalved: true };

export const LOSS_CASES: readonly LossCase[] = [
  ...[0, 0.7].map(
    (beta): LossCase => ({
      name: `simpleContrastive, beta ${beta}`,
      shapes: three,
      build: ([a, p, n]) => simpleContrastive(a!, p!, n!, { beta }),
      reference: ([a, p, n], _, size) => oracle.simpleContrastive(a!, p!, n!, { ...size, negatives: 1 }, beta),
    }),
  ),
  ...[
    { tau: 0.5, margin: 0.2, beta: 0 },
    { tau: 0.1, margin: 0, beta: -0.3 },
  ].map(
    (options): LossCase => ({
      name: `softTriplet ${JSON.stringify(options)}`,
      shapes: three,
      build: ([a, p, n]) => softTriplet(a!, p!, n!, { ...options, temperature: options.tau }),
      reference: ([a, p, n], _, size) => oracle.softTriplet(a!, p!, n!, { ...size, negatives: 1 }, options),
      // A slope's relative error is that of its exponent, which grows as 1/τ (largest seen 30).
      gradientError: 6 / options.tau,
    }),
  ),
  ...[
    { tau: 0.5, beta: 0 },
    { tau: 2, beta: 0.4 },
  ].map(
    (options): LossCase => ({
      name: `infoNce with ${NEGATIVES} negatives ${JSON.stringify(options)}`,
      shapes: many,
      build: ([a, p, n]) => infoNce(a!, p!, n!, { temperature: options.tau, beta: options.beta }),
      reference: ([a, p, n], _, size) => oracle.infoNce(a!, p!, n!, { ...size, negatives: NEGATIVES }, options),
    }),
  ),
  {
    name: "infoNce with one negative",
    shapes: three,
    build: ([a, p, n]) => infoNce(a!, p!, n!, { temperature: 1 }),
    reference: ([a, p, n], _, size) => oracle.infoNce(a!, p!, n!, { ...size, negatives: 1 }, { tau: 1, beta: 0 }),
  },
  ...[
    { tau: 0.5, beta: 0 },
    { tau: 0.1, beta: 0 },
    { tau: 0.5, beta: 0.5 },
    { tau: 0.5, beta: -0.2 },
  ].map(
    (options): LossCase => ({
      name: `ntXent ${JSON.stringify(options)}`,
      shapes: two,
      build: ([a, b]) => ntXent(a!, b!, { temperature: options.tau, beta: options.beta }),
      reference: ([a, b], _, size) => oracle.ntXent(a!, b!, size, options),
      withGpuKnobs: options.beta > 0,
    }),
  ),
  {
    name: "crossViewInfoNce",
    shapes: two,
    build: ([a, b]) => crossViewInfoNce(a!, b!),
    reference: ([a, b], _, size) => oracle.crossViewInfoNce(a!, b!, size, 0.5),
  },
  ...[0, 0.3].map(
    (beta): LossCase => ({
      name: `exactCovariance, weights from the views, beta ${beta}`,
      shapes: two,
      build: ([a, b]) => exactCovariance(a!, b!, { beta }),
      reference: ([a, b], [wa, wb], size) =>
        oracle.exactCovariance({ a: a!, b: b!, weightsA: wa!, weightsB: wb!, weightsD: size.d }, size, {
          tau: 0.5,
          beta,
        }),
    }),
  ),
  {
    name: "exactCovariance, weights from un-augmented images",
    shapes: (n, d) => [...two(n, d), [n, d + 1]],
    build: ([a, b, x]) => exactCovariance(a!, b!, { temperature: 0.2, unaugmented: x! }),
    reference: ([a, b], [, , x], size) =>
      oracle.exactCovariance({ a: a!, b: b!, weightsA: x!, weightsB: x!, weightsD: size.d + 1 }, size, {
        tau: 0.2,
        beta: 0,
      }),
    withGpuKnobs: true,
  },
  ...(
    [
      { form: "standardized", lambda: 0.0051 },
      { form: "standardized", lambda: 1, epsilon: 1 },
      { form: "standardized", lambda: 0.005, scale: 0.1 },
      { form: "centered", lambda: 1 },
      { form: "raw", lambda: 0.3 },
    ] as const
  ).map(
    (options): LossCase => ({
      name: `barlowTwins ${JSON.stringify(options)}`,
      shapes: two,
      build: ([a, b]) => barlowTwins(a!, b!, options),
      reference: ([a, b], _, size) => oracle.barlowTwins(a!, b!, size, options),
    }),
  ),
  {
    name: "vicreg",
    shapes: two,
    build: ([a, b]) => vicreg(a!, b!),
    reference: ([a, b], _, size) => oracle.vicreg(a!, b!, size, vicregDefaults).total,
  },
  {
    name: "vicreg, solo-learn's form, hinge and covariance alone",
    shapes: two,
    build: ([a, b]) => vicreg(a!, b!, { invariance: 0, variance: 10, covariance: 3, epsilon: 0.01, form: "solo" }),
    reference: ([a, b], _, size) =>
      oracle.vicreg(a!, b!, size, { invariance: 0, variance: 10, covariance: 3, epsilon: 0.01, isHalved: false }).total,
  },
  {
    name: "byolDirection",
    shapes: two,
    build: ([p, z]) => byolDirection(p!, z!),
    reference: ([p], [, z], size) => oracle.byolDirection(p!, z!, size),
  },
  {
    name: "byol",
    shapes: four,
    build: ([pa, pb, za, zb]) => byol(pa!, pb!, za!, zb!),
    reference: ([pa, pb], [, , za, zb], size) =>
      oracle.byolDirection(pa!, zb!, size) + oracle.byolDirection(pb!, za!, size),
    withGpuKnobs: true,
  },
  {
    name: "simSiam",
    shapes: four,
    build: ([pa, pb, za, zb]) => simSiam(pa!, pb!, za!, zb!),
    reference: ([pa, pb], [, , za, zb], size) => oracle.simSiam(pa!, pb!, za!, zb!, size),
  },
  {
    name: "simSiam of embeddings that serve as predictions too",
    shapes: two,
    build: ([za, zb]) => simSiam(za!, zb!, za!, zb!),
    reference: ([pa, pb], [za, zb], size) => oracle.simSiam(pa!, pb!, za!, zb!, size),
  },
  ...[1, 10].map(
    (mu): LossCase => ({
      name: `spectralContrastive, mu ${mu}`,
      shapes: two,
      build: ([a, b]) => spectralContrastive(a!, b!, { mu }),
      reference: ([a, b], _, size) => oracle.spectralContrastive(a!, b!, size, mu).total,
    }),
  ),
  {
    name: "wMse",
    shapes: two,
    build: ([a, b]) => wMse(a!, b!),
    reference: ([a, b], _, size) => oracle.wMse(a!, b!, size),
    isTall: true,
  },
];
