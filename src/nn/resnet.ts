/**
 * ResNets (He et al. 2016, Deep residual learning for image recognition) with torchvision's structure, names, order and first
 * values: stride in the 3 × 3 convolution of a bottleneck, 1 × 1 convolution and BatchNorm on shortcuts that change shape.
 */
import type { Tensor } from "../autodiff/graph.ts";
import { globalAveragePool, maxPool } from "../autodiff/pool.ts";
import { EngineError } from "../errors.ts";
import { batchNormLayer, conv, linear } from "./layers.ts";
import type { Model, ParameterScope } from "./scope.ts";
import type { Init } from "./spec.ts";

export type ResNetDepth = 18 | 34 | 50 | 101;

export interface ResNetOptions {
  readonly depth: ResNetDepth;
  /** `imagenet`: 7 × 7 stride 2, then 3 × 3 max pooling stride 2. `cifar`: 3 × 3 stride 1, no pooling. */
  readonly stem: "imagenet" | "cifar";
  /** Multiplies all widths; 64·width must be a multiple of 4. 1 unless given. */
  readonly width?: number;
  /** Outputs of the linear layer `fc`; without it the model ends at the pooled features. */
  readonly classes?: number;
  /** The last BatchNorm of each block starts with scale 0, so that blocks start as identities (Goyal et al. 2017). False unless given. */
  readonly zeroInitResidual?: boolean;
  /** Channels of the images that carry data; 3 unless given. Images come padded to a multiple of 4 channels. */
  readonly imageChannels?: number;
}

const DEPTHS: Readonly<Record<ResNetDepth, { readonly blocks: readonly number[]; readonly block: Block }>> = {
  18: { blocks: [2, 2, 2, 2], block: basicBlock },
  34: { blocks: [3, 4, 6, 3], block: basicBlock },
  50: { blocks: [3, 4, 6, 3], block: bottleneck },
  101: { blocks: [3, 4, 23, 3], block: bottleneck },
};

export interface BlockOptions {
  /** Channels of the 3 × 3 convolutions. */
  readonly width: number;
  readonly stride: number;
  readonly zeroInitResidual?: boolean;
  /** First values of filters from fan-in and fan-out; torchvision's unless given. */
  readonly init?: (fanIn: number, fanOut: number) => Init;
}

type Block = (scope: ParameterScope, x: Tensor, options: BlockOptions) => Tensor;

/** kaiming_normal_, fan_out, ReLU: torchvision's rule. */
function torchvisionInit(_fanIn: number, fanOut: number): Init {
  return { kind: "normal", std: Math.sqrt(2 / fanOut) };
}

/** x itself, or `downsample` (1 × 1 convolution and BatchNorm) where the shape changes. */
function shortcut(scope: ParameterScope, x: Tensor, out: number, stride: number, init: typeof torchvisionInit): Tensor {
  if (stride === 1 && x.shape.at(-1) === out) return x;
  return scope.within("downsample", (own) => {
    const y = conv(own, "0", x, { out, kernel: 1, stride, init });
    return batchNormLayer(own, "1", out)(y);
  });
}

/** Two 3 × 3 convolutions: [B, H, W, C] → [B, ⌈H/stride⌉, ⌈W/stride⌉, width]. */
export function basicBlock(scope: ParameterScope, x: Tensor, options: BlockOptions): Tensor {
  const { width, stride, zeroInitResidual = false, init = torchvisionInit } = options;
  const first = conv(scope, "conv1", x, { out: width, kernel: 3, stride, init });
  const hidden = batchNormLayer(scope, "bn1", width)(first, { relu: true });
  const second = conv(scope, "conv2", hidden, { out: width, kernel: 3, init });
  const last = batchNormLayer(scope, "bn2", width, { scale: zeroInitResidual ? 0 : 1 });
  return scope.observe("", last(second, { relu: true, addend: shortcut(scope, x, width, stride, init) }));
}

/** 1 × 1, 3 × 3 and 1 × 1 convolutions: [B, H, W, C] → [B, ⌈H/stride⌉, ⌈W/stride⌉, 4·width]. */
export function bottleneck(scope: ParameterScope, x: Tensor, options: BlockOptions): Tensor {
  const { width, stride, zeroInitResidual = false, init = torchvisionInit } = options;
  const first = conv(scope, "conv1", x, { out: width, kernel: 1, init });
  const narrow = batchNormLayer(scope, "bn1", width)(first, { relu: true });
  const second = conv(scope, "conv2", narrow, { out: width, kernel: 3, stride, init });
  const spatial = batchNormLayer(scope, "bn2", width)(second, { relu: true });
  const third = conv(scope, "conv3", spatial, { out: 4 * width, kernel: 1, init });
  const last = batchNormLayer(scope, "bn3", 4 * width, { scale: zeroInitResidual ? 0 : 1 });
  return scope.observe("", last(third, { relu: true, addend: shortcut(scope, x, 4 * width, stride, init) }));
}

/**
 * Images [B, H, W, C] → pooled features [B, 512·width] (ResNet-18 and -34) or [B, 2048·width], or [B, classes].
 *
 * @throws EngineError CONFIG-MODEL for an unknown depth or a width that does not give channels in fours
 */
export function resnet(options: ResNetOptions): Model {
  const { depth, stem, width = 1, classes, zeroInitResidual = false, imageChannels = 3 } = options;
  const plan = DEPTHS[depth];
  const base = 64 * width;
  if (!plan || !(base >= 4 && base % 4 === 0)) {
    throw new EngineError({
      code: "CONFIG-MODEL",
      message: plan ? `Width ${width} gives ${base} channels` : `There is no ResNet of depth ${depth}`,
      fix: plan ? "Choose a multiple of 1/16." : "Choose 18, 34, 50 or 101.",
      where: "resnet",
    });
  }
  return (scope, x) => {
    const isImagenet = stem === "imagenet";
    const stemOptions = isImagenet ? { kernel: 7, stride: 2 } : { kernel: 3 };
    let y = conv(scope, "conv1", x, { out: base, ...stemOptions, inChannels: imageChannels, init: torchvisionInit });
    y = batchNormLayer(scope, "bn1", base)(y, { relu: true });
    if (isImagenet) y = scope.observe("maxpool", maxPool(y, { kernel: 3, stride: 2, padding: 1 }));
    plan.blocks.forEach((count, stage) => {
      const blockWidth = base * 2 ** stage;
      for (let index = 0; index < count; index++) {
        const stride = stage > 0 && index === 0 ? 2 : 1;
        y = scope.within(`layer${stage + 1}`, (layer) =>
          layer.within(`${index}`, (own) => plan.block(own, y, { width: blockWidth, stride, zeroInitResidual })),
        );
      }
    });
    const pooled = scope.observe("avgpool", globalAveragePool(y));
    return classes === undefined ? pooled : linear(scope, "fc", pooled, { out: classes });
  };
}
