/** The suite `conv`: every distinct convolution of ResNet-18 on CIFAR images, its three products each. */
import type { ConvSpec } from "../../../test/oracle/conv.ts";
import { convDataGradEntry, convEntry, convWeightGradEntry } from "../../../test/oracle/productEntries.ts";
import { SeededNormals } from "../../../test/oracle/seededNormals.ts";
import type { BenchContext, BenchRow, Suite } from "./contract.ts";
import { prepareConv } from "./convWork.ts";
import type { ConvProduct, ConvWork } from "./peerContract.ts";
import { sampledCheck } from "./sampledCheck.ts";
import { measureContest, type Verdict } from "./sideBySide.ts";
import { speedTargets } from "./targets.ts";

export interface ConvShape {
  readonly kernel: number;
  readonly stride: number;
  /** Side of the input image. */
  readonly side: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly batch: number;
}

/** Widths and sides of the four stages. */
const STAGES = [
  { channels: 64, side: 32 },
  { channels: 128, side: 16 },
  { channels: 256, side: 8 },
  { channels: 512, side: 4 },
] as const;

/** Batches: about 300 MFLOP a product for 3 × 3 kernels between stages' own channels, 70 or fewer for the stem and the shortcuts. */
export const CONV_SHAPES: readonly ConvShape[] = [
  { kernel: 3, stride: 1, side: 32, inChannels: 3, outChannels: 64, batch: 16 },
  ...STAGES.flatMap(({ channels, side }, stage): ConvShape[] => {
    const body: ConvShape = { kernel: 3, stride: 1, side, inChannels: channels, outChannels: channels, batch: 4 };
    const before = STAGES[stage - 1];
    if (!before) return [body];
    const entry = { stride: 2, side: before.side, inChannels: before.channels, outChannels: channels };
    return [{ ...entry, kernel: 3, batch: 8 }, { ...entry, kernel: 1, batch: 16 }, body];
  }),
];

const PRODUCTS: Readonly<Record<ConvProduct, string>> = {
  forward: "forward",
  dataGrad: "data gradient",
  weightGrad: "weight gradient",
};

export const convSuite: Suite = {
  measure: (context) => measureConvs(context, CONV_SHAPES),
  targets: (rows) =>
    speedTargets("conv", rows, { "jax-js webgpu": { least: 2 }, "TensorFlow.js webgpu": { least: 4 } }),
};

export async function measureConvs(context: BenchContext, shapes: readonly ConvShape[]): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const shape of shapes) {
    for (const product of Object.keys(PRODUCTS) as ConvProduct[]) {
      const name = convName(shape, product);
      if (!context.wants(name)) continue;
      const work = convWork(shape, product);
      const { batch, outSide, kernel, inChannels, outChannels } = work;
      rows.push(
        ...(await measureContest(context, {
          suite: "conv",
          name,
          // Taps in the padding count as if they were computed; the channel that pads three to four does not.
          flops: 2 * batch * outSide ** 2 * kernel ** 2 * inChannels * outChannels,
          check: (result) => checkConv(work, result),
          ours: () => prepareConv(context.engine, work),
          theirs: ({ conv }) => conv && (() => conv(work)),
        })),
      );
    }
  }
  return rows;
}

export function convName(shape: ConvShape, product: ConvProduct): string {
  const { kernel, stride, side, inChannels, outChannels, batch } = shape;
  const step = stride === 1 ? "" : ` /${stride}`;
  return `${kernel}×${kernel}${step} ${inChannels}→${outChannels} @${side}² B=${batch} ${PRODUCTS[product]}`;
}

export function convWork(shape: ConvShape, product: ConvProduct): ConvWork {
  const { kernel, stride, side, inChannels, outChannels, batch } = shape;
  const padding = (kernel - 1) / 2;
  const outSide = Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const random = new SeededNormals(kernel + 10 * side + 1000 * inChannels);
  const uniform = (count: number) => Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
  return {
    ...shape,
    product,
    padding,
    outSide,
    x: uniform(batch * side * side * inChannels),
    filter: uniform(kernel * kernel * inChannels * outChannels),
    dY: uniform(batch * outSide * outSide * outChannels),
  };
}

function checkConv(work: ConvWork, result: Float32Array): Verdict {
  const { product, batch, side, outSide, kernel, stride, padding, x, filter, dY } = work;
  const spec: ConvSpec = {
    batch,
    input: [side, side],
    output: [outSide, outSide],
    kernel: [kernel, kernel],
    stride: [stride, stride],
    padding: [padding, padding],
    inChannels: work.inChannels,
    outChannels: work.outChannels,
  };
  if (product === "forward") return sampledCheck(result, dY.length, (at) => convEntry(x, filter, spec, at));
  if (product === "dataGrad") return sampledCheck(result, x.length, (at) => convDataGradEntry(dY, filter, spec, at));
  return sampledCheck(result, filter.length, (at) => convWeightGradEntry(x, dY, spec, at));
}
