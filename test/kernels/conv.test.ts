/**
 * conv2d_register, conv2d_workgroup, conv2d_batched, conv2d_batched_subgroup, their data gradients conv2d_data_grad_register,
 * conv2d_data_grad_workgroup, conv2d_data_grad_batched, conv2d_data_grad_batched_subgroup and weight gradients conv2d_weight_grad_register,
 * conv2d_weight_grad_workgroup, conv2d_weight_grad_batched, conv2d_weight_grad_batched_subgroup with conv2d_split_sum: all through the same
 * tests.
 */
import { describe, expect, it, type TestContext } from "vitest";
import type { KernelCall } from "../../src/kernels/call.ts";
import {
  type ConvEpilogue,
  type ConvVariant,
  dataGradCalls,
  forwardCalls,
  weightGradCalls,
} from "../../src/ops/convCalls.ts";
import { type ConvGeometry, outputExtent, type Pair } from "../../src/ops/convGeometry.ts";
import * as oracle from "../oracle/conv.ts";
import { absolute } from "../oracle/elementwise.ts";
import { useEngine } from "../support/device.ts";
import { lacksFeatures, skipWithoutFeatures } from "../support/features.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { thinned } from "../support/thorough.ts";
import { runConv } from "./convRun.ts";
import { bitsOf, VALUE_SETS, type ValueSet, values } from "./runF32.ts";

const engine = useEngine();
const minimal = useEngine({ defaultLimits: true });

interface Case {
  readonly batch?: number;
  readonly input: Pair;
  readonly kernel: Pair;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly ci?: number;
  readonly co?: number;
  readonly epilogue?: Partial<ConvEpilogue>;
  readonly set?: ValueSet;
  readonly splits?: number;
}

interface Family {
  /** Variants for the stride along a row and its width. */
  variant(stride: number, width: number): ConvVariant;
  /** Variant of the weight gradient. */
  weight(width: number): ConvVariant;
  readonly unroll: boolean;
  /** Tried with every padding of CROSSED; otherwise with "same" padding. */
  readonly isCrossed: boolean;
}

const BATCHED = { family: "batched", rows: 1, hasSubgroups: false } as const;
const SUBGROUPS = { ...BATCHED, hasSubgroups: true };
const FAMILIES: Record<string, Family> = {
  "workgroup, 4 rows": {
    variant: () => ({ family: "workgroup", rows: 4 }),
    weight: () => ({ family: "workgroup", rows: 4 }),
    unroll: true,
    isCrossed: true,
  },
  "register, small tile": {
    variant: (stride) => ({ family: "register", pixels: 3 * stride, quads: 1, workgroup: 4 }),
    weight: () => ({ family: "register", pixels: 4, quads: 1, workgroup: 4 }),
    // Rolled pipelines compile faster; unroll.test.ts asks that both give equal bits.
    unroll: false,
    isCrossed: true,
  },
  "register, tile of two quads": {
    variant: (stride) => ({ family: "register", pixels: stride === 3 ? 6 : 4, quads: 2, workgroup: 8 }),
    weight: () => ({ family: "register", pixels: 8, quads: 2, workgroup: 8 }),
    unroll: false,
    isCrossed: false,
  },
  "batched, narrow tiles": {
    variant: (stride) => ({ ...BATCHED, pixels: 3 * stride, quads: 1, workgroup: 4 }),
    weight: () => ({ ...BATCHED, pixels: 3, quads: 1, rows: 2, workgroup: 4 }),
    unroll: false,
    isCrossed: false,
  },
  "batched with subgroups, tiles as wide as a row": {
    variant: (stride, width) => ({ ...SUBGROUPS, pixels: Math.ceil(width / stride) * stride, quads: 2, workgroup: 8 }),
    weight: (width) => ({ ...SUBGROUPS, pixels: width, quads: 2, rows: 1, workgroup: 8 }),
    unroll: false,
    isCrossed: true,
  },
};

function geometryOf({
  batch = 2,
  input,
  kernel,
  stride = [1, 1],
  padding = [0, 0],
  ci = 4,
  co = 8,
}: Case): ConvGeometry {
  const output = [0, 1].map((axis) => outputExtent(input[axis]!, kernel[axis]!, stride[axis]!, padding[axis]!));
  return {
    batch,
    input,
    output: [output[0]!, output[1]!],
    kernel,
    stride,
    padding,
    inChannels: ci,
    outChannels: co,
  };
}

const NONE: ConvEpilogue = { hasScale: false, hasBias: false, hasAddend: false, relu: false };

/**
 * K products, K − 1 additions to the first (the accumulator starts at zero, padding adds zeros), then scale, bias and addend: at most
 * K + 3 roundings on any term. The bound is γ_{K+3} times the same sum of absolute values.
 */
async function checkForward(family: Family, options: Case, context: TestContext): Promise<void> {
  const spec = geometryOf(options);
  const { set = "normal" } = options;
  const random = new TestRandom(spec.input[0] + 100 * spec.kernel[1] + 1000 * spec.stride[0]);
  const epilogue = { ...NONE, ...options.epilogue };
  const x = values(set, spec.batch * spec.input[0] * spec.input[1] * spec.inChannels, random, 5);
  const filter = values(set, spec.kernel[0] * spec.kernel[1] * spec.inChannels * spec.outChannels, random, 5);
  const elements = spec.batch * spec.output[0] * spec.output[1] * spec.outChannels;
  const scale = epilogue.hasScale ? random.normals(spec.outChannels) : undefined;
  const bias = epilogue.hasBias ? random.normals(spec.outChannels) : undefined;
  const addend = epilogue.hasAddend ? random.normals(elements) : undefined;
  const inputs = [x, filter, scale, bias, addend].filter((array) => array !== undefined);
  const calls = forwardCalls(spec, family.variant(spec.stride[1], spec.output[1]), epilogue);
  skipWithoutFeatures(
    context,
    engine(),
    calls.map(({ kernel }) => kernel),
  );
  const actual = await runConv(engine(), calls, inputs, elements, { unroll: family.unroll });
  const magnitude = oracle.conv2d(
    {
      x: absolute(x),
      filter: absolute(filter),
      scale: scale && absolute(scale),
      bias: bias && absolute(bias),
      addend: addend && absolute(addend),
    },
    spec,
  );
  const depth = spec.kernel[0] * spec.kernel[1] * spec.inChannels;
  const expected = oracle.conv2d({ x, filter, scale, bias, addend }, spec, epilogue.relu);
  expect(actual).toMatchOracle(expected, { factor: gamma(depth + 3), scale: magnitude });
}

/** At most as many products as a filter has entries per channel, then the addend: γ_{K+1}. */
async function checkDataGrad(family: Family, options: Case): Promise<void> {
  const spec = geometryOf(options);
  const { set = "normal" } = options;
  const random = new TestRandom(spec.input[0] + 100 * spec.kernel[1] + 1001 * spec.stride[0]);
  const dY = values(set, spec.batch * spec.output[0] * spec.output[1] * spec.outChannels, random, 5);
  const filter = values(set, spec.kernel[0] * spec.kernel[1] * spec.inChannels * spec.outChannels, random, 5);
  const elements = spec.batch * spec.input[0] * spec.input[1] * spec.inChannels;
  const hasAddend = options.epilogue?.hasAddend ?? false;
  const addend = hasAddend ? random.normals(elements) : new Float32Array(elements);
  const calls = dataGradCalls(spec, family.variant(spec.stride[1], spec.input[1]), hasAddend);
  const inputs = hasAddend ? [dY, filter, addend] : [dY, filter];
  const actual = await runConv(engine(), calls, inputs, elements, { unroll: family.unroll });
  const plus = (sums: Float64Array, sign: (value: number) => number) =>
    sums.map((value, index) => value + sign(addend[index]!));
  expect(actual).toMatchOracle(
    plus(oracle.conv2dDataGrad(dY, filter, spec), (value) => value),
    {
      factor: gamma(spec.kernel[0] * spec.kernel[1] * spec.outChannels + Number(hasAddend)),
      scale: plus(oracle.conv2dDataGrad(absolute(dY), absolute(filter), spec), Math.abs),
    },
  );
}

/** Every term passes through at most as many additions as there are pixels: a split's, then those of the partial sums. */
async function checkWeightGrad(family: Family, options: Case): Promise<void> {
  const spec = geometryOf(options);
  const { set = "normal", splits = 3 } = options;
  const random = new TestRandom(spec.input[0] + 100 * spec.kernel[1] + 1002 * spec.stride[0]);
  const x = values(set, spec.batch * spec.input[0] * spec.input[1] * spec.inChannels, random, 5);
  const dY = values(set, spec.batch * spec.output[0] * spec.output[1] * spec.outChannels, random, 5);
  const elements = spec.kernel[0] * spec.kernel[1] * spec.inChannels * spec.outChannels;
  const calls = weightGradCalls(spec, family.weight(spec.output[1]), splits);
  const actual = await runConv(engine(), calls, [x, dY], elements, { unroll: family.unroll });
  expect(actual).toMatchOracle(oracle.conv2dWeightGrad(x, dY, spec), {
    factor: gamma(spec.batch * spec.output[0] * spec.output[1] + 1),
    scale: oracle.conv2dWeightGrad(absolute(x), absolute(dY), spec),
  });
}

async function checkAll(family: Family, options: Case, context: TestContext): Promise<void> {
  await checkForward(family, options, context);
  await checkDataGrad(family, options);
  await checkWeightGrad(family, options);
}

/** Kernel, stride and padding interact with the edges of odd-sized images: crossed, each with a size that its tiles do not divide. */
const CROSSED: Case[] = [1, 2, 3, 5, 7].flatMap((kernel) =>
  [1, 2, 3].flatMap((stride) =>
    [0, 1, 2, 3]
      // A pipeline takes a while to compile: of the paddings those around "same", and none.
      .filter((padding) => [0, Math.floor(kernel / 2), (kernel + stride) % 4].includes(padding))
      .map(
        (padding): Case => ({
          input: [7 + ((kernel + stride) % 3), 9 + ((kernel + padding) % 4)],
          kernel: [kernel, kernel],
          stride: [stride, stride],
          padding: [padding, padding],
        }),
      ),
  ),
);

const OTHERS: Record<string, Case> = {
  "one pixel, batch 1": { batch: 1, input: [1, 1], kernel: [1, 1] },
  "one pixel under a padded 3 × 3 kernel": { batch: 1, input: [1, 1], kernel: [3, 3], padding: [1, 1], ci: 8, co: 4 },
  "batch 1, a tile's width": { batch: 1, input: [4, 4], kernel: [3, 3], padding: [1, 1] },
  "axes apart": { batch: 3, input: [5, 11], kernel: [2, 5], stride: [3, 2], padding: [0, 3], ci: 12, co: 4 },
  "axes apart, the other way": { input: [11, 5], kernel: [5, 1], stride: [1, 3], padding: [2, 0], ci: 4, co: 12 },
  "padding beyond the kernel": { input: [3, 3], kernel: [2, 2], stride: [2, 2], padding: [3, 3] },
  "many channels: 68 to 72": { batch: 1, input: [5, 6], kernel: [3, 3], padding: [1, 1], ci: 68, co: 72, splits: 2 },
  "more pixels than a tile of 64": {
    batch: 3,
    input: [9, 13],
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    ci: 20,
    co: 16,
  },
  "more splits than rows": { batch: 1, input: [4, 5], kernel: [3, 3], padding: [1, 1], splits: 100 },
  "nine images": { batch: 9, input: [4, 4], kernel: [3, 3], padding: [1, 1], ci: 4, co: 8 },
  "one split": { input: [6, 7], kernel: [3, 3], padding: [1, 1], splits: 1 },
};

for (const [index, [name, family]] of Object.entries(FAMILIES).entries()) {
  describe(name, () => {
    for (const options of thinned(CROSSED, 5, index)) {
      const { input, kernel, stride, padding } = options;
      if (!family.isCrossed && padding?.[0] !== Math.floor(kernel[0] / 2)) continue;
      it(`${input.join(" × ")}, kernel ${kernel[0]}, stride ${stride?.[0]}, padding ${padding?.[0]}`, (context) =>
        checkAll(family, options, context));
    }
    for (const [title, options] of thinned(Object.entries(OTHERS), 2, index))
      it(title, (context) => checkAll(family, options, context));

    const image: Case = { input: [6, 7], kernel: [3, 3], padding: [1, 1], ci: 8, co: 12 };
    for (const set of VALUE_SETS) it(`${set} values`, (context) => checkAll(family, { ...image, set }, context));

    const epilogues: Partial<ConvEpilogue>[] = [
      { hasBias: true },
      { hasBias: true, relu: true },
      { hasAddend: true, relu: true },
      { hasScale: true, hasBias: true, relu: true },
      { hasScale: true, hasBias: true, hasAddend: true },
    ];
    for (const epilogue of epilogues) {
      it(`epilogue ${Object.keys(epilogue).join(" ")}`, (context) =>
        checkForward(family, { ...image, epilogue }, context));
    }
    it("a data gradient and an addend", async (context) => {
      await checkForward(family, image, context);
      await checkDataGrad(family, { ...image, epilogue: { hasAddend: true } });
    });
  });
}

describe("tiles of eight rows in workgroup memory", () => {
  const family: Family = { ...FAMILIES["workgroup, 4 rows"]!, variant: () => ({ family: "workgroup", rows: 8 }) };
  const cases: Record<string, Case> = {
    "150 pixels": { batch: 3, input: [10, 5], kernel: [3, 3], padding: [1, 1], ci: 20, co: 68 },
    "stride 2": { batch: 3, input: [19, 15], kernel: [3, 3], stride: [2, 2], padding: [1, 1], ci: 8, co: 4 },
  };
  for (const [title, options] of Object.entries(cases)) it(title, (context) => checkAll(family, options, context));
});

describe("determinism and limits", () => {
  const spec = geometryOf({ batch: 3, input: [9, 8], kernel: [3, 3], padding: [1, 1], ci: 8, co: 8 });
  const random = new TestRandom(5);
  const [x, dY] = [random.normals(3 * 72 * 8), random.normals(3 * 72 * 8)];
  const filter = random.normals(9 * 64);
  for (const [name, family] of Object.entries(FAMILIES)) {
    it(`${name}: equal bits twice, and on a device with default limits and no features`, async (context) => {
      const variant = family.variant(1, spec.output[1]);
      const [forward, data] = [forwardCalls(spec, variant, NONE), dataGradCalls(spec, variant)];
      const weight = weightGradCalls(spec, family.weight(spec.output[1]), 4);
      for (const [calls, inputs, elements] of [
        [forward, [x, filter], dY.length],
        [data, [dY, filter], x.length],
        [weight, [x, dY], filter.length],
      ] as const) {
        const kernels = calls.map(({ kernel }) => kernel);
        skipWithoutFeatures(context, engine(), kernels);
        const first = bitsOf(await runConv(engine(), calls, inputs, elements));
        expect(bitsOf(await runConv(engine(), calls, inputs, elements))).toEqual(first);
        if (kernels.some((kernel) => lacksFeatures(minimal(), kernel))) continue;
        expect(bitsOf(await runConv(minimal(), calls, inputs, elements))).toEqual(first);
      }
    });
  }

  it("batched: the same bits with and without subgroups, and as the register family", async (context) => {
    const wide = { ...SUBGROUPS, pixels: 4, quads: 2, workgroup: 4 };
    const families = [wide, { ...wide, hasSubgroups: false }, { ...wide, family: "register" } as const];
    const run = async (calls: readonly KernelCall[], inputs: readonly Float32Array[], elements: number) => {
      const kernels = calls.map(({ kernel }) => kernel);
      skipWithoutFeatures(context, engine(), kernels);
      return bitsOf(await runConv(engine(), calls, inputs, elements, { unroll: false }));
    };
    const [first, ...others] = await Promise.all(
      families.map(async (variant) => [
        await run(forwardCalls(spec, variant, NONE), [x, filter], dY.length),
        await run(dataGradCalls(spec, variant), [dY, filter], x.length),
        await run(weightGradCalls(spec, variant, 4), [x, dY], filter.length),
      ]),
    );
    for (const other of others) expect(other).toEqual(first);
  });
});
