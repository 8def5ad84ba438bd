/** Small networks for software adapters, in which the staircase shows within seconds. */

import { relu, reshape } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { globalAveragePool } from "../autodiff/pool.ts";
import { constantInit, heNormal, uniformFanIn } from "./init.ts";
import { batchNormLayer, conv, linear } from "./layers.ts";
import { basicBlock } from "./resnet.ts";
import type { Model, ParameterScope } from "./scope.ts";

/** The linear layer `head` that ends the small networks. */
export interface HeadOptions {
  /** Embedding dimension. */
  readonly d: number;
  /** Weights on U(±weightScale/√fan_in): small ones start the staircase. 1 unless given. */
  readonly weightScale?: number;
  /** Biases on U(±biasScale/√fan_in); no bias unless given. */
  readonly biasScale?: number;
}

function head(scope: ParameterScope, features: Tensor, { d, weightScale = 1, biasScale }: HeadOptions): Tensor {
  return linear(scope, "head", features, {
    out: d,
    weightInit: (fanIn) => uniformFanIn(fanIn, weightScale),
    bias: biasScale !== undefined,
    biasInit: (fanIn) => uniformFanIn(fanIn, biasScale),
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
  return (scope, x) => {
    let y = conv(scope, "conv1", x, { out: width, kernel: 3, stride: 2, inChannels: imageChannels, init: heNormal });
    y = batchNormLayer(scope, "bn1", width)(y, { relu: true });
    [1, 2, 4].forEach((factor, index) => {
      const block = { width: factor * width, stride: index === 0 ? 1 : 2, init: heNormal };
      y = scope.within(`layer${index + 1}`, (layer) => layer.within("0", (own) => basicBlock(own, y, block)));
    });
    return head(scope, globalAveragePool(y), options);
  };
}

export interface SmallConvNetOptions extends HeadOptions {
  /** Channels of the first convolution, a multiple of 4; the others have twice and four times as many. 8 unless given. */
  readonly width?: number;
  readonly imageChannels?: number;
}

/**
 * Convolutional net without BatchNorm: three 3 × 3 convolutions with strides 1, 2, 2, bias and ReLU, global average pooling, linear head.
 * [B, H, W, C] → [B, d]. Filters He normal by fan-in, biases 0.
 */
export function smallConvNet(options: SmallConvNetOptions): Model {
  const { width = 8, imageChannels = 3 } = options;
  return (scope, x) => {
    let y = x;
    [1, 2, 4].forEach((factor, index) => {
      y = relu(
        conv(scope, `conv${index + 1}`, y, {
          out: factor * width,
          kernel: 3,
          stride: index === 0 ? 1 : 2,
          ...(index === 0 ? { inChannels: imageChannels } : {}),
          init: heNormal,
          biasInit: () => constantInit(0),
        }),
      );
    });
    return head(scope, globalAveragePool(y), options);
  };
}

/** W·x + b of flattened inputs [B, ..] → [B, d]. */
export function linearEncoder(options: HeadOptions): Model {
  return (scope, x) => head(scope, flatten(x), options);
}

/** Flattened inputs through one hidden ReLU layer (He normal, no bias) and the head: [B, ..] → [B, d]. */
export function mlpEncoder(options: HeadOptions & { readonly hidden: number }): Model {
  return (scope, x) => {
    const hidden = linear(scope, "hidden", flatten(x), { out: options.hidden, bias: false, weightInit: heNormal });
    return head(scope, relu(hidden), options);
  };
}

/** [B, ..] → [B, features]. */
export function flatten(x: Tensor): Tensor {
  const batch = x.shape[0] ?? 1;
  return reshape(x, [batch, x.elements / batch]);
}
