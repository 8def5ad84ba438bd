/** Matrix product with a fused epilogue, and the table that picks its kernel. */
import { ceilDiv, MAX_GRID_DIMENSION } from "../kernels/grid.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { matmulRegister, matmulSubgroup, matmulWorkgroup } from "../kernels/library.ts";
import type { KnobValues } from "../kernels/specialize.ts";
import {
  asMatrices,
  type KernelCall,
  type LowerContext,
  type OpDefinition,
  type Operand,
  operand,
  type PlacedTensor,
  requireF32,
  requireInputs,
  shapeError,
  type Target,
  type TensorSpec,
} from "./opDefinition.ts";

export interface MatmulAttributes {
  /** The first operand is stored transposed, [K, M]. */
  readonly transposeA: boolean;
  /** The second operand is stored transposed, [N, K]. */
  readonly transposeB: boolean;
  readonly scale: number;
  /** Epilogue operands follow a and b in this order. */
  readonly hasBias: boolean;
  readonly hasAddend: boolean;
  readonly relu: boolean;
}

export interface MatmulShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Product shape of [.., M, K] × [.., K, N]; a plain second matrix is shared by all rows of a batched first one. */
function productShape(inputs: readonly TensorSpec[], { transposeA, transposeB }: MatmulAttributes): MatmulShape {
  const a = asMatrices(operand(inputs, 0));
  const b = asMatrices(operand(inputs, 1));
  const [aRows, k] = transposeA ? [a.columns, a.rows] : [a.rows, a.columns];
  const [kB, n] = transposeB ? [b.columns, b.rows] : [b.rows, b.columns];
  if (k !== kB) {
    throw shapeError(
      "matmul",
      inputs,
      `inner dimensions ${k} and ${kB} differ`,
      "Transpose an operand or correct its shape.",
    );
  }
  if (a.batch === b.batch) return { batch: a.batch, m: aRows, n, k };
  if (b.batch === 1 && !transposeA) return { batch: 1, m: a.batch * aRows, n, k };
  throw shapeError(
    "matmul",
    inputs,
    `batches ${a.batch} and ${b.batch} do not fit`,
    "Give both operands the same batch, or a plain second matrix and an untransposed first one.",
  );
}

export const matmulOp: OpDefinition<MatmulAttributes> = {
  name: "matmul",
  acceptsOffsets: "all",
  infer(inputs, attributes) {
    requireInputs("matmul", inputs, 2 + Number(attributes.hasBias) + Number(attributes.hasAddend));
    requireF32("matmul", inputs);
    if (inputs.slice(0, 2).some((input) => input.shape.length < 2)) {
      throw shapeError(
        "matmul",
        inputs,
        "operands must be matrices or batches of matrices",
        "Reshape vectors to [1, n] or [n, 1].",
      );
    }
    const { m, n } = productShape(inputs, attributes);
    const a = operand(inputs, 0);
    const rows = attributes.transposeA ? operand(a.shape, a.shape.length - 1) : operand(a.shape, a.shape.length - 2);
    const shape = [...a.shape.slice(0, -2), rows, n];
    if (attributes.hasBias && asMatrices(operand(inputs, 2)).columns !== n) {
      throw shapeError("matmul", inputs, `bias has not ${n} columns`, "Give the bias one entry per output column.");
    }
    if (attributes.hasAddend) {
      const addend = asMatrices(operand(inputs, inputs.length - 1));
      if (
        addend.columns !== n ||
        addend.batch * addend.rows !== (a.shape.length > 2 ? asMatrices(a).batch * rows : m)
      ) {
        throw shapeError(
          "matmul",
          inputs,
          "the addend has not the product's shape",
          "Add a tensor of the product's shape.",
        );
      }
    }
    return [{ shape, dtype: "f32" }];
  },
  flops(inputs, _outputs, attributes) {
    const { batch, m, n, k } = productShape(inputs, attributes);
    return 2 * batch * m * n * k;
  },
  lower: lowerMatmul,
};

function lowerMatmul({ inputs, outputs, attributes, target }: LowerContext<MatmulAttributes>): KernelCall[] {
  const { transposeA, transposeB, hasBias, hasAddend, relu, scale } = attributes;
  const shape = productShape(inputs, attributes);
  const { batch, m, n, k } = shape;
  const [a, b, y] = [operand(inputs, 0), operand(inputs, 1), operand(outputs, 0)];
  const lda = transposeA ? m : k;
  const ldb = transposeB ? k : n;
  const common = {
    TRANSPOSE_A: transposeA,
    TRANSPOSE_B: transposeB,
    HAS_BIAS: hasBias,
    HAS_ADDEND: hasAddend,
    RELU: relu,
  };
  const aligned = (tensor: PlacedTensor, leading: number, batchStride: number): boolean =>
    [tensor.offset, leading, batch > 1 ? batchStride : 0].every((extent) => extent % 4 === 0);
  const addendIndex = hasAddend ? inputs.length - 1 : undefined;
  const { kernel, knobs } = chooseMatmul(shape, target, {
    transposeA,
    aAligned: aligned(a, lda, m * k),
    bAligned: aligned(b, ldb, k * n),
    yAligned: [y, ...inputs.slice(2)].every((tensor) => aligned(tensor, n, m * n)),
  });
  const unused: Operand = { kind: "unused" };
  return [
    {
      kernel,
      knobs: { ...common, ...knobs },
      params: {
        batch,
        m,
        n,
        k,
        lda,
        ldb,
        ldy: n,
        a_offset: a.offset,
        b_offset: b.offset,
        y_offset: y.offset,
        addend_offset: addendIndex === undefined ? 0 : operand(inputs, addendIndex).offset,
        bias_offset: hasBias ? operand(inputs, 2).offset : 0,
        a_batch_stride: m * k,
        b_batch_stride: k * n,
        y_batch_stride: m * n,
        scale,
      },
      bindings: {
        a: { kind: "input", index: 0 },
        b: { kind: "input", index: 1 },
        bias: hasBias ? { kind: "input", index: 2 } : unused,
        addend: addendIndex === undefined ? unused : { kind: "input", index: addendIndex },
        y: { kind: "output", index: 0 },
      },
    },
  ];
}

/** Whether operands are read as vec4, and results written. */
interface Alignment {
  readonly transposeA: boolean;
  readonly aAligned: boolean;
  readonly bAligned: boolean;
  /** The result, and with it bias and addend; false unless given. */
  readonly yAligned?: boolean;
}

/** Multiply-adds from which on a tile that compiles for two seconds on a software adapter pays within a few dozen steps. */
const LARGE_PRODUCT = 5e7;

/**
 * The default table (docs/kernels.md). GPUs: the workgroup family for products of at least 64 × 32 with K ≥ 64, else register tiles of
 * 8 × 4, small enough for many waves. Software adapters: register tiles as large as the product fills, since there a load costs about
 * as much as twenty multiply-adds, in small workgroups, which they schedule with less overhead; with subgroups, where all is vec4, four
 * neighbours have the same columns and share their loads.
 */
export function chooseMatmul(
  shape: MatmulShape,
  target: Target,
  alignment: Alignment,
): { readonly kernel: Kernel; readonly knobs: KnobValues } {
  const { m, n, k } = shape;
  const { transposeA, aAligned, bAligned, yAligned = false } = alignment;
  if (target.matmulFamily === "workgroup" && m >= 64 && n >= 32 && k >= 64) {
    // Tall tiles only when enough of them remain to fill a GPU.
    const tall = ceilDiv(m, 128) * ceilDiv(n, 64) >= 128;
    return { kernel: matmulWorkgroup, knobs: { ROWS: tall ? 8 : 4 } };
  }
  const aVector = aAligned && (!transposeA || m % 4 === 0);
  const isVector = aVector && bAligned && yAligned && k % 4 === 0;
  if (target.isSoftware && target.hasSubgroups && isVector && m >= 16) {
    return { kernel: matmulSubgroup, knobs: sharedTile(shape) };
  }
  const heights = aVector && transposeA ? [8, 4] : target.isSoftware ? [8, 10, 6, 5, 4] : [8, 5, 4];
  const rows = leastWaste(m, heights);
  const quads = target.isSoftware ? (n <= 12 ? ceilDiv(n, 4) : leastWaste(n, [8, 4]) / 4) : 1;
  const workgroupX = Math.min(8, 2 ** Math.ceil(Math.log2(ceilDiv(n, 4 * quads))));
  // Taller workgroups where the grid's second dimension would not hold the product.
  const leastY = 2 ** Math.ceil(Math.log2(ceilDiv(m, rows * MAX_GRID_DIMENSION)));
  return {
    kernel: matmulRegister,
    knobs: {
      ROWS: rows,
      QUADS: quads,
      WG_X: workgroupX,
      WG_Y: Math.max((target.isSoftware ? 8 : 64) / workgroupX, leastY),
      A_ALIGNED: aVector,
      B_ALIGNED: bAligned,
      REMAINDER: k % 4 !== 0,
    },
  };
}

/** Of matmul_subgroup: 4 or 8 rows so that four neighbours have some, up to 16 columns, 32 in a large product. */
function sharedTile({ batch, m, n, k }: MatmulShape): KnobValues {
  const isLarge = batch * m * n * k >= LARGE_PRODUCT;
  const rows = m >= 64 ? 8 : 4;
  const candidates = [8, 7, 6, 5, 4, 3, 2, 1].filter((quads) => quads <= (isLarge ? 8 : 4));
  return {
    ROWS: rows,
    QUADS: leastWaste(n / 4, candidates),
    STEPS: isLarge && k % 8 === 0 ? 2 : 1,
    WG: Math.min(16, 4 * ceilDiv(ceilDiv(m, rows), 4)),
  };
}

/** The candidate that leaves the least of its last tile empty; the earlier one of equals. */
function leastWaste(extent: number, candidates: readonly number[]): number {
  const padded = (size: number): number => ceilDiv(extent, size) * size;
  return candidates.reduce((best, size) => (padded(size) < padded(best) ? size : best));
}
