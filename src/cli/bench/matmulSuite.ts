/** The suite `matmul`: square products in three orientations, and those that ResNet-18 on CIFAR images is made of. */
import { matmulEntry } from "../../../test/oracle/productEntries.ts";
import { SeededNormals } from "../../../test/oracle/seededNormals.ts";
import { matmul } from "../../autodiff/functions.ts";
import type { Engine } from "../../device/engine.ts";
import { type BenchContext, type BenchRow, MULTIPLY_ADDS, OURS, type Suite } from "./contract.ts";
import { checkMultiplyAdd, flopsOf, prepareMultiplyAdd, roundsFor } from "./multiplyAdd.ts";
import type { MatmulWork, PreparedWork } from "./peerContract.ts";
import { preparePlan } from "./planWork.ts";
import { sampledCheck } from "./sampledCheck.ts";
import { type Entry, measureContest } from "./sideBySide.ts";
import { atLeast, speedTargets } from "./targets.ts";

/** op(A)·op(B) with T for what is stored transposed. */
const ORIENTATIONS = ["NN", "NT", "TN"] as const;
type Orientation = (typeof ORIENTATIONS)[number];

export interface MatmulShape {
  readonly orientation: Orientation;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** Order of the product that the ceiling's target speaks of. */
const TARGET_ORDER = 512;
const square = (orientation: Orientation, n: number): MatmulShape => ({ orientation, m: n, k: n, n });

/** Images at a time: 300 MFLOP for each stage's 3 × 3 convolution. */
const IMAGES = 4;
/** Stages of ResNet-18 on 32 × 32 images: pixels of an image and channels. */
const STAGES = [
  { pixels: 32 * 32, channels: 64 },
  { pixels: 16 * 16, channels: 128 },
  { pixels: 8 * 8, channels: 256 },
  { pixels: 4 * 4, channels: 512 },
] as const;

/** A 3 × 3 convolution as three matrix products: patches by filter, cotangent by filterᵀ, patchesᵀ by cotangent. */
const stageProducts = STAGES.flatMap(({ pixels, channels }): MatmulShape[] => {
  const [rows, patch] = [IMAGES * pixels, 9 * channels];
  return [
    { orientation: "NN", m: rows, k: patch, n: channels },
    { orientation: "NT", m: rows, k: channels, n: patch },
    { orientation: "TN", m: patch, k: rows, n: channels },
  ];
});

export const MATMUL_SHAPES: readonly MatmulShape[] = [
  ...[128, 256, TARGET_ORDER].flatMap((n) => ORIENTATIONS.map((orientation) => square(orientation, n))),
  square("NN", 1024),
  ...stageProducts,
  // The projector's second layer on a batch of 256 embeddings, as PyTorch stores its weight.
  { orientation: "NT", m: 256, k: 512, n: 512 },
];

export const matmulSuite: Suite = {
  measure: (context) => measureMatmuls(context, MATMUL_SHAPES),
  targets(rows) {
    const names = ORIENTATIONS.map((orientation) => matmulName(square(orientation, TARGET_ORDER)));
    const shares = names.flatMap((name) => ceilingShare(rows.filter((row) => row.name === name && row.verified)));
    const worst = shares.toSorted((a, b) => a.percent - b.percent)[0];
    return [
      ...speedTargets("matmul", rows, { "jax-js webgpu": { least: 2 }, "TensorFlow.js webgpu": { least: 4 } }),
      atLeast(`matmul ${TARGET_ORDER}³: percent of the rate of multiply-adds alone`, worst?.percent ?? null, {
        least: 40,
        aim: 50,
        where: worst?.name,
      }),
    ];
  },
};

/** What ours reached, of the rate that multiply-adds from registers had in the same turns. */
function ceilingShare(rows: readonly BenchRow[]): { readonly name: string; readonly percent: number }[] {
  const rate = (of: string) => rows.find(({ engine }) => engine === of)?.gflops;
  const [name, ours, ceiling] = [rows[0]?.name, rate(OURS), rate(MULTIPLY_ADDS)];
  return name === undefined || ours === undefined || !ceiling ? [] : [{ name, percent: (100 * ours) / ceiling }];
}

export async function measureMatmuls(context: BenchContext, shapes: readonly MatmulShape[]): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const shape of shapes) {
    const name = matmulName(shape);
    if (!context.wants(name)) continue;
    const work = matmulWork(shape);
    const { m, k, n } = shape;
    const flops = 2 * m * k * n;
    const isTarget = [m, k, n].every((extent) => extent === TARGET_ORDER);
    rows.push(
      ...(await measureContest(context, {
        suite: "matmul",
        name,
        flops,
        check: (result) => sampledCheck(result, m * n, (at) => matmulEntry(work.a, work.b, work, at)),
        ours: () => prepareOurs(context.engine, work),
        theirs: ({ matmul: product }) => product && (() => product(work)),
        ...(isTarget ? { yardstick: multiplyAddsAlone(context, flops) } : {}),
      })),
    );
  }
  return rows;
}

/** As many multiply-adds as the product has. */
function multiplyAddsAlone({ engine, multiplyAdds: variant }: BenchContext, flops: number): Entry {
  const rounds = roundsFor(variant, flops);
  return {
    engine: MULTIPLY_ADDS,
    flops: flopsOf(variant, rounds),
    prepare: () => prepareMultiplyAdd(engine, variant, rounds),
    check: (y) => checkMultiplyAdd(y, variant, rounds),
  };
}

export function matmulName({ orientation, m, k, n }: MatmulShape): string {
  return `${orientation} ${m}×${k}×${n}`;
}

function matmulWork({ orientation, m, k, n }: MatmulShape): MatmulWork {
  const random = new SeededNormals(m + 3 * k + 5 * n);
  const uniform = (count: number) => Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
  const [transposeA, transposeB] = [orientation === "TN", orientation === "NT"];
  return { m, k, n, transposeA, transposeB, a: uniform(m * k), b: uniform(k * n) };
}

function prepareOurs(engine: Engine, work: MatmulWork): Promise<PreparedWork> {
  const { m, k, n, transposeA, transposeB, a, b } = work;
  return preparePlan(
    engine,
    (graph) =>
      matmul(graph.input("a", transposeA ? [k, m] : [m, k]), graph.input("b", transposeB ? [n, k] : [k, n]), {
        transposeA,
        transposeB,
      }),
    { a, b },
  );
}
