/** The border to other libraries (bench/peers): types only, since their modules are bundled apart and share no code with ours. */

/** A library on one device. It offers what it can do; a suite measures the peers that offer its work. */
export interface Peer {
  /** Name and device for the table. */
  readonly engine: string;
  readonly eigenvalues?: EigenvaluesPeer;
  readonly matmul?: (problem: MatmulWork) => Promise<PreparedWork>;
  readonly conv?: (problem: ConvWork) => Promise<PreparedWork>;
  readonly step?: (problem: StepWork) => Promise<PreparedStep>;
}

/** What a module of bench/peers exports as `openPeers`. */
export type OpenPeers = () => Promise<readonly Peer[]>;

/** Eigenvalues of one symmetric matrix. */
export interface EigenvaluesPeer {
  /** True when it solves on the CPU what lies on the GPU, so that a read-back of the matrix belongs to its time. */
  readonly readsBack: boolean;
  /** `a` is [n, n], symmetric. What is not part of a solve (upload, compilation of the shape) is done here. */
  prepare(a: Float32Array, n: number): Promise<PreparedEigenvalues>;
}

export interface PreparedEigenvalues {
  /** Solves and resolves to the eigenvalues on the host, in any order. `a` is the matrix as just read back, for solvers that want it. */
  run(a: Float32Array | undefined): Promise<ArrayLike<number>>;
  release(): void;
}

/** Work whose operands lie on the device. */
export interface PreparedWork {
  /** Computes the result anew; resolves when the device has finished. Nothing is read back. */
  run(): Promise<void>;
  /** Computes once more and reads the result back, in the layout that the problem states. */
  result(): Promise<Float32Array>;
  release(): void;
}

/** op(A)·op(B), [m, k]·[k, n] → [m, n]. */
export interface MatmulWork {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** A is stored as [k, m]. */
  readonly transposeA: boolean;
  /** B is stored as [n, k]. */
  readonly transposeB: boolean;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export type ConvProduct = "forward" | "dataGrad" | "weightGrad";

/** One of a convolution's three products; square images, square kernels, the same stride and padding in both directions. */
export interface ConvWork {
  readonly product: ConvProduct;
  readonly batch: number;
  /** Side of x. */
  readonly side: number;
  /** Side of y. */
  readonly outSide: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** [batch, side, side, inChannels]; the result of `dataGrad` has its shape. */
  readonly x: Float32Array;
  /** [kernel, kernel, inChannels, outChannels]; the result of `weightGrad` has its shape. */
  readonly filter: Float32Array;
  /** [batch, outSide, outSide, outChannels]; the result of `forward` has its shape. */
  readonly dY: Float32Array;
}

/**
 * Training of a small residual net: stem, blocks of two 3 × 3 convolutions, each convolution followed by BatchNorm over the batch
 * (ε = 1e-5, scale 1 and shift 0 at first), ReLU, global average pooling, a linear head, rows divided by √(|z|² + 1e-8), InfoNCE of the
 * first half of the batch against the second at a temperature, one direction; SGD with momentum.
 */
export interface StepWork {
  readonly batch: number;
  readonly side: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly temperature: number;
  /** [batch, 3, side, side]. */
  readonly images: Float32Array;
  /** OIHW, by name. A block `layerN` has `conv1` (with the block's stride), `conv2` and, where the shape changes, `downsample.0`. */
  readonly filters: readonly FilterValues[];
  readonly blocks: readonly { readonly name: string; readonly stride: number }[];
  /** [features, features], z = h·head. */
  readonly head: Float32Array;
}

export interface FilterValues {
  readonly name: string;
  readonly outChannels: number;
  readonly inChannels: number;
  readonly kernel: number;
  readonly values: Float32Array;
}

export interface PreparedStep {
  /**
   * Steps one after another. `onLoss` gets the loss of the state that each step started from, on the host, in order; what is aborted
   * between two steps stops.
   */
  run(steps: number, onLoss: (loss: number) => void, signal: AbortSignal): Promise<void>;
  /** Most bytes the library says it had in use on the GPU, where it says so. */
  readonly reportedGpuBytes?: () => number;
  release(): void;
}
