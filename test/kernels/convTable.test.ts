/** chooseConv: which kernel and tile a convolution's products get, and that the tiles are ones that the kernels accept. */
import { describe, expect, it } from "vitest";
import { dataGradCalls, forwardCalls, weightGradCalls } from "../../src/ops/convCalls.ts";
import { type ConvGeometry, convGeometry } from "../../src/ops/convGeometry.ts";
import { type ConvProduct, chooseConv } from "../../src/ops/convTable.ts";
import type { Target } from "../../src/ops/opDefinition.ts";

const SOFTWARE: Target = { isSoftware: true, matmulFamily: "register" };
const GPU: Target = { isSoftware: false, matmulFamily: "workgroup" };
const PRODUCTS: readonly ConvProduct[] = ["forward", "dataGrad", "weightGrad"];

/** Square images, kernels, strides and paddings. */
function square(
  batch: number,
  size: number,
  ci: number,
  co: number,
  kernel = 3,
  stride = 1,
  padding = 1,
): ConvGeometry {
  const image = { shape: [batch, size, size, ci], dtype: "f32" } as const;
  const filter = { shape: [kernel, kernel, ci, co], dtype: "f32" } as const;
  return convGeometry("conv2d", [image, filter], [stride, stride], [padding, padding]);
}

const NETWORKS: Record<string, ConvGeometry> = {
  "RGB stem of a small net": square(32, 32, 4, 16),
  "16 channels": square(32, 32, 16, 16),
  "to 32, stride 2": square(32, 32, 16, 32, 3, 2),
  "64 channels, 8 × 8": square(32, 8, 64, 64),
  "ImageNet stem": square(8, 224, 4, 64, 7, 2, 3),
  "ResNet-18, 512 channels": square(32, 4, 512, 512),
  "shortcut, stride 2": square(32, 32, 64, 128, 1, 2, 0),
  "stride 3": square(2, 20, 8, 12, 5, 3, 2),
  "stride beyond any tile": square(1, 40, 4, 4, 3, 9, 0),
};

describe("chooseConv", () => {
  it("takes the workgroup family on GPUs where its tiles are filled, and where registers would spill", () => {
    const family = (name: string, product: ConvProduct) => chooseConv(NETWORKS[name]!, product, GPU).variant.family;
    expect(PRODUCTS.map((product) => family("64 channels, 8 × 8", product))).toEqual(Array(3).fill("workgroup"));
    expect(PRODUCTS.map((product) => family("16 channels", product))).toEqual(Array(3).fill("register"));
    // 7 × 7 × 4 against 64 channels fills a tile; the image has four channels only.
    expect(PRODUCTS.map((product) => family("ImageNet stem", product))).toEqual(["workgroup", "register", "workgroup"]);
    expect(family("stride 3", "weightGrad")).toBe("workgroup");
    // Even where the register family is asked for.
    const registers: Target = { ...GPU, matmulFamily: "register" };
    expect(chooseConv(NETWORKS["stride 3"]!, "weightGrad", registers).variant.family).toBe("workgroup");
    expect(chooseConv(NETWORKS["16 channels"]!, "weightGrad", registers).variant.family).toBe("register");
  });

  it("takes tall tiles where enough of them remain, and splits until a GPU is full", () => {
    expect(chooseConv(square(256, 32, 64, 64), "forward", GPU).variant).toEqual({ family: "workgroup", rows: 8 });
    expect(chooseConv(NETWORKS["64 channels, 8 × 8"]!, "forward", GPU).variant).toMatchObject({ rows: 4 });
    expect(chooseConv(square(256, 32, 64, 64), "weightGrad", GPU).splits).toBe(57);
    expect(chooseConv(NETWORKS["ResNet-18, 512 channels"]!, "weightGrad", GPU).splits).toBe(1);
    // Twelve filter rows by two pairs of channel groups are six teams of four: two parts give each core some.
    expect(chooseConv(NETWORKS["16 channels"]!, "weightGrad", SOFTWARE).splits).toBe(2);
  });

  it("puts images side by side on software adapters from a batch of four on, and shares loads where there are subgroups", () => {
    const subgroups = { ...SOFTWARE, hasSubgroups: true };
    for (const product of PRODUCTS) {
      const variant = (batch: number, target: Target) => chooseConv(square(batch, 8, 16, 16), product, target).variant;
      expect(variant(4, SOFTWARE)).toMatchObject({ family: "batched", hasSubgroups: false });
      expect(variant(4, subgroups)).toMatchObject({ family: "batched", hasSubgroups: true });
      if (product !== "weightGrad") expect(variant(3, subgroups).family).toBe("register");
      // Real GPUs keep their kernels.
      expect(variant(4, { ...GPU, hasSubgroups: true })).toEqual(variant(4, GPU));
    }
  });

  it("takes narrow rows as one tile, and larger tiles where a dispatch is long enough to pay for compiling them", () => {
    const tile = (size: number, channels: number, batch = 32) =>
      chooseConv(square(batch, size, channels, channels), "forward", SOFTWARE).variant;
    expect(tile(3, 16)).toMatchObject({ pixels: 3, quads: 4 });
    expect(tile(6, 8)).toMatchObject({ pixels: 6, quads: 2 });
    expect(tile(14, 16)).toMatchObject({ pixels: 7, quads: 2 });
    expect(tile(32, 16)).toMatchObject({ pixels: 8, quads: 2 });
    expect(tile(32, 64)).toMatchObject({ pixels: 8, quads: 4 });
  });

  it("keeps to tiles of 36 vec4 in registers on software adapters and 8 on GPUs", () => {
    for (const geometry of Object.values(NETWORKS)) {
      for (const product of ["forward", "dataGrad"] as const) {
        const most = geometry.stride[1] > 4 ? 18 : 8;
        for (const [target, limit] of [
          [SOFTWARE, 36],
          [GPU, most],
        ] as const) {
          const { variant } = chooseConv(geometry, product, target);
          if (variant.family !== "workgroup") expect(variant.pixels * variant.quads).toBeLessThanOrEqual(limit);
        }
      }
    }
  });

  it.each(Object.entries(NETWORKS))("%s: knobs and dispatches that the kernels accept", (_name, geometry) => {
    for (const target of [
      SOFTWARE,
      { ...SOFTWARE, hasSubgroups: true },
      GPU,
      { ...GPU, matmulFamily: "register" } as const,
    ]) {
      const [forward, data, weight] = PRODUCTS.map((product) => chooseConv(geometry, product, target));
      if (data!.variant.family !== "workgroup") expect(data!.variant.pixels % geometry.stride[1]).toBe(0);
      if (weight!.variant.family === "register") expect(weight!.variant.pixels % 4).toBe(0);
      const none = { hasScale: false, hasBias: false, hasAddend: false, relu: false };
      for (const { kernel, knobs, params } of [
        ...forwardCalls(geometry, forward!.variant, none),
        ...dataGradCalls(geometry, data!.variant),
        ...weightGradCalls(geometry, weight!.variant, weight!.splits),
      ]) {
        for (const extent of kernel.grid(params, knobs)) expect(extent).toBeLessThanOrEqual(65_535);
        for (const value of Object.values(knobs)) expect(Number(value)).toBeGreaterThanOrEqual(0);
      }
    }
  });
});
