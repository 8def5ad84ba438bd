/** The networks that a configuration names, as models of src/nn. */
import type { Tensor } from "../../autodiff/graph.ts";
import { predictor, projector } from "../../nn/mlp.ts";
import { resnet } from "../../nn/resnet.ts";
import type { Model, ParameterScope } from "../../nn/scope.ts";
import { linearEncoder, linearHead, mlpEncoder, smallConvNet, smallResNet } from "../../nn/smallNets.ts";
import type { EncoderConfig, NetworkConfig, ProjectorConfig } from "./config.ts";

/** Encoder f → representation y, projector → embedding z, and the predictor of BYOL and SimSiam. */
export interface Network {
  readonly encoder: Model;
  readonly projector: Model;
  readonly predictor: Model | undefined;
}

/** @throws EngineError CONFIG-MODEL */
export function networkOf({ model }: NetworkConfig): Network {
  const { encoder, projector: head, predictor: last } = model;
  return {
    encoder: encoderOf(encoder),
    projector: projectorOf(head),
    predictor: last.kind === "none" ? undefined : predictor(last.kind, last.widths),
  };
}

/** Images [B, H, W, 4] → representations [B, features]. */
export function encoderOf(config: EncoderConfig): Model {
  switch (config.kind) {
    case "residual":
      return smallResNet(config);
    case "convolutional":
      return smallConvNet(config);
    case "linear":
      return linearEncoder({});
    case "mlp":
      return mlpEncoder(config);
    case "resnet":
      return resnet(config);
  }
}

function projectorOf(config: ProjectorConfig): Model {
  if (config.kind !== "head") return projector(config.kind, config.widths);
  const { outputs: d, weightScale, biasScale } = config;
  return linearHead({ d, weightScale, ...(biasScale > 0 ? { biasScale } : {}) });
}

/** Applies encoder and projector; names begin with `encoder.` and `projector.`. */
export function embed(scope: ParameterScope, network: Network, images: Tensor): Tensor {
  const representation = scope.within("encoder", (own) => network.encoder(own, images));
  return scope.within("projector", (own) => network.projector(own, representation));
}
