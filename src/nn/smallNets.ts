/** Small networks for software adapters, in which the staircase shows within seconds. */

import { relu, reshape } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { globalAveragePool } from "../autodiff/pool.ts";
import { EngineError } from "../errors.ts";
import { constantInit, heNormal, uniformFanIn } from "./init.ts";
import { batchNormLayer, conv, linear, type PixelPadding } from "./layers.ts";
import { basicBlock } from "./resnet.ts";
import type { Model, ParameterScope } from "./scope.ts";

/** The linear layer `head` that may end the small networks. */
export interface HeadOptions {
  /** Embedding dimension; without it a network ends at its features. */
  readonly d?: number;
  /** Weights on U(±weightScale/√fan_in): small ones start the staircase. 1 unless given. */
  readonly weightScale?: number;
  /** Biases on U(±biasScale/√fan_in); no bias unless given. */
  readonly biasScale?: number;
}

function head(
  scope: ParameterScope,
  features: Tensor,
  { d, weightScale = 1, biasScale }: HeadOptions,
  padding?: PixelPadding,
): Tensor {
  if (d === undefined) return features;
  return linear(scope, "head", features, {
    out: d,
    weightInit: (fanIn) => uniformFanIn(fanIn, weightScale),
    bias: biasScale !== undefined,
    biasInit: (fanIn) => uniformFanIn(fanIn, biasScale),
    ...(padding ? { padding } : {}),
  });
}

/** The head by itself: features [B, F] or images [B, H, W, C] → [B, d], parameters `head.weight` and, with `biasScale`, `head.bias`. */
export function linearHead(options: PixelOptions & { readonly d: number }): Model {
  // Images are what an encoder without parameters hands on.
  return (scope, x) => (x.shape.length === 4 ? linearEncoder(options)(scope, x) : head(scope, x, options));
}

/** @throws EngineError CONFIG-MODEL unless channels come in fours */
function requireWidth(width: number): void {
  if (Number.isInteger(width) && width >= 4 && width % 4 === 0) return;
  throw new EngineError({
    code: "CONFIG-MODEL",
    message: `The encoder's width is ${width}; channels come in fours`,
    fix: `Choose a multiple of 4, such as ${Math.max(4, 4 * Math.round(width / 4))}.`,
    where: "model.encoder.width",
  });
}

export interface SmallResNetOptions extends HeadOptions {
  /** Channels of the stem and first block, a multiple of 4; the blocks have width, 2·width and 4·width. */
  readonly width: number;
  readonly imageChannels?: number;
}

/**
 * Residual net with BatchNorm: 3 × 3 convolution with stride 2, three basic blocks with strides 1, 2, 2, global average pooling,
 * linear head.
 * [B, H, W, C] → [B, d]. Filters He normal by fan-in. Width 8, d 10: 19,944 parameters.
 */
export function smallResNet(options: SmallResNetOptions): Model {
  const { width, imageChannels = 3 } = options;
  requireWidth(width);
  return (scope, x) => {
    let y = conv(scope, "conv1", x, { out: width, kernel: 3, stride: 2, inChannels: imageChannels, init: heNormal });
    y = batchNormLayer(scope, "bn1", width)(y, { relu: true });
    [1, 2, 4].forEach((factor, index) => {
      const block = { width: factor * width, stride: index === 0 ? 1 : 2, init: heNormal };
      y = scope.within(`layer${index + 1}`, (layer) => layer.within("0", (own) => basicBlock(own, y, block)));
    });
    return head(scope, scope.observe("avgpool", globalAveragePool(y)), options);
  };
}

export interface SmallConvNetOptions extends HeadOptions {
  /** Channels of the first convolution, a multiple of 4; the others have twice and four times as many. 8 unless given. */
  readonly width?: number;
  /** BatchNorm after each convolution, which then has no bias; false unless given. */
  readonly batchNorm?: boolean;
  /** `flatten` keeps all pixels of the last convolution; `average` unless given. */
  readonly pooling?: "average" | "flatten";
  readonly imageChannels?: number;
}

/**
 * Convolutional net: three 3 × 3 convolutions with strides 1, 2, 2 and ReLU, global average pooling, linear head. [B, H, W, C] → [B, d].
 * Filters He normal by fan-in, biases 0.
 */
export function smallConvNet(options: SmallConvNetOptions): Model {
  const { width = 8, batchNorm = false, pooling = "average", imageChannels = 3 } = options;
  requireWidth(width);
  return (scope, x) => {
    let y = x;
    [1, 2, 4].forEach((factor, index) => {
      const out = factor * width;
      const layer = {
        out,
        kernel: 3,
        stride: index === 0 ? 1 : 2,
        ...(index === 0 ? { inChannels: imageChannels } : {}),
        init: heNormal,
      };
      const name = `conv${index + 1}`;
      y = batchNorm
        ? batchNormLayer(scope, `bn${index + 1}`, out)(conv(scope, name, y, layer), { relu: true })
        : relu(conv(scope, name, y, { ...layer, biasInit: () => constantInit(0) }));
    });
    const features = pooling === "average" ? globalAveragePool(y) : flatten(y);
    return head(scope, scope.observe("avgpool", features), options);
  };
}

export interface PixelOptions extends HeadOptions {
  /** Channels of an image that carry data, where it is padded; 3 unless given. */
  readonly imageChannels?: number;
}

/** Flattened images, and what their first linear layer must know of padded channels. */
function pixels(x: Tensor, channels: number) {
  const padded = x.shape.length === 4 ? (x.shape[3] ?? channels) : channels;
  return { input: flatten(x), ...(padded > channels ? { padding: { channels, padded } } : {}) };
}

/** W·x + b of flattened images: [B, H, W, C] → [B, d]; without d the images themselves. */
export function linearEncoder({ imageChannels = 3, ...options }: PixelOptions): Model {
  return (scope, x) => {
    if (options.d === undefined) return x;
    const { input, padding } = pixels(x, imageChannels);
    return head(scope, input, options, padding);
  };
}

/** Flattened images through one hidden ReLU layer (He normal, no bias) and the head: [B, H, W, C] → [B, d]. */
export function mlpEncoder(options: PixelOptions & { readonly hidden: number }): Model {
  return (scope, x) => {
    const { input, ...rest } = pixels(x, options.imageChannels ?? 3);
    const layer = { out: options.hidden, bias: false, weightInit: heNormal, ...rest };
    const hidden = relu(linear(scope, "hidden", input, layer));
    return head(scope, scope.observe("relu", hidden), options);
  };
}

/** [B, ..] → [B, features]. */
export function flatten(x: Tensor): Tensor {
  const batch = x.shape[0] ?? 1;
  return reshape(x, [batch, x.elements / batch]);
}
