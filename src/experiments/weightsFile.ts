/** A model's weights as a safetensors file with PyTorch's names and layouts: what torchvision's models load and save. */
import { encodeSafetensors, parseSafetensors } from "../data/index.ts";
import { EngineError } from "../errors.ts";
import { exportWeights, importWeights, type ModelSpec, type ModelState, type WeightOptions } from "../nn/index.ts";

export interface SaveOptions extends WeightOptions {
  /** Strings kept in the file beside the tensors. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface LoadOptions extends WeightOptions {
  /** State whose other parts are kept, where `prefix` names a part; zeros unless given. */
  readonly base?: ModelState;
}

/** Parameters and running statistics; `load_state_dict` of the same torchvision model accepts the file's tensors. */
export function saveWeights(
  spec: ModelSpec,
  state: ModelState,
  { metadata = {}, ...options }: SaveOptions = {},
): Uint8Array<ArrayBuffer> {
  // "pt" is what readers of PyTorch files look for.
  return encodeSafetensors({ tensors: exportWeights(spec, state, options), metadata: { format: "pt", ...metadata } });
}

/**
 * The reverse of `saveWeights`; also reads a torchvision model's state_dict saved by safetensors.torch.
 *
 * @param name file name for messages
 * @throws EngineError DATA-SAFETENSORS, DATA-TRUNCATED for a damaged file; NN-WEIGHTS for one of another model, naming the first tensor
 *         that is missing, unknown or of another shape; NN-WEIGHTS-VALUES for numbers that no training leaves
 */
export function loadWeights(spec: ModelSpec, bytes: Uint8Array, name: string, options: LoadOptions = {}): ModelState {
  const { tensors } = parseSafetensors(bytes, name);
  const state = importWeights(spec, tensors, options);
  for (const [key, { data }] of Object.entries(tensors)) {
    const isVariance = /(?:^|\.)running_var$/.test(key);
    const at = data.findIndex((value) => !Number.isFinite(value) || (isVariance && value < 0));
    if (at < 0) continue;
    throw new EngineError({
      code: "NN-WEIGHTS-VALUES",
      message: `In ${name}, element ${at} of ${key} is ${data[at]}`,
      fix: "Use the weights of a run that did not diverge, or copy the file again.",
      where: key,
    });
  }
  return state;
}
