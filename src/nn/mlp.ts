/** Multi-layer perceptrons, and the projectors and predictors of the reference implementations. */
import { gelu } from "../autodiff/activations.ts";
import { relu } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { batchNormLayer, type FanInInit, linear, type NormOptions } from "./layers.ts";
import type { Model } from "./scope.ts";

/** A linear layer and what follows it. */
export interface MlpLayer {
  readonly out: number;
  /** True unless given. */
  readonly bias?: boolean;
  /** BatchNorm after the product, with these options; none unless given. */
  readonly norm?: NormOptions;
  readonly activation?: "relu" | "gelu";
  readonly weightInit?: FanInInit;
}

/** [N, features] → [N, out of the last layer]. Named by position as in torch.nn.Sequential(Linear, BatchNorm1d, activation, …). */
export function mlp(layers: readonly MlpLayer[]): Model {
  return (scope, x) => {
    let position = 0;
    const next = (): string => `${position++}`;
    return layers.reduce((input: Tensor, { out, bias = true, norm, activation, weightInit }) => {
      const y = linear(scope, next(), input, { out, bias, ...(weightInit ? { weightInit } : {}) });
      const isRelu = activation === "relu";
      // The ReLU belongs to the normalisation's kernel, the product's otherwise.
      const normed = norm ? batchNormLayer(scope, next(), out, norm)(y, { relu: isRelu }) : isRelu ? relu(y) : y;
      if (activation) next();
      return activation === "gelu" ? gelu(normed) : normed;
    }, x);
  };
}

/** Which reference implementation a projector follows. */
export type ProjectorKind = "barlow" | "vicreg" | "simclr" | "byol" | "simsiam";

/**
 * Projectors of the reference implementations, by widths of their layers.
 *
 * - `barlow` (facebookresearch/barlowtwins; 8192-8192-8192): linears without bias, BatchNorm and ReLU between, nothing at the end.
 * - `vicreg` (facebookresearch/vicreg; 8192-8192-8192): the same, hidden linears with bias.
 * - `simclr` (512-128; 2048-256 on CIFAR-10): linears with bias, ReLU between, no BatchNorm.
 * - `byol` (4096-256): linears with bias, BatchNorm and ReLU between.
 * - `simsiam` (facebookresearch/simsiam; 2048-2048-2048): linears without bias, BatchNorm after each, without scale and shift at the end.
 */
export function projector(kind: ProjectorKind, widths: readonly number[]): Model {
  return mlp(
    widths.map((out, index): MlpLayer => {
      if (index < widths.length - 1) {
        const hidden = { out, activation: "relu" } as const;
        if (kind === "simclr") return hidden;
        return { ...hidden, bias: kind === "vicreg" || kind === "byol", norm: {} };
      }
      if (kind === "simsiam") return { out, bias: false, norm: { affine: false } };
      return { out, bias: kind === "simclr" || kind === "byol" };
    }),
  );
}

/**
 * Predictors on top of a projector: `byol` (4096-256) as its projector; `simsiam` (512-2048) with a hidden linear without bias,
 * BatchNorm and ReLU, and a plain output with bias.
 */
export function predictor(kind: "byol" | "simsiam", widths: readonly [hidden: number, out: number]): Model {
  const [hidden, out] = widths;
  return mlp([{ out: hidden, bias: kind === "byol", norm: {}, activation: "relu" }, { out }]);
}
