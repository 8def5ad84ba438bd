/** Kernels of latent trees and of networks that mirror them. */
import latentMomentsShader from "../../shaders/hltm/latent_moments.wgsl";
import operatorNormShader from "../../shaders/hltm/operator_norm.wgsl";
import rootContrastShader from "../../shaders/hltm/root_contrast.wgsl";
import treeEdgesShader from "../../shaders/hltm/tree_edges.wgsl";
import treeValuesShader from "../../shaders/hltm/tree_values.wgsl";
import locallyConnectedShader from "../../shaders/local/locally_connected.wgsl";
import locallyConnectedGradShader from "../../shaders/local/locally_connected_grad.wgsl";
import batchContrastShader from "../../shaders/ssl/batch_contrast.wgsl";
import batchContrastGradShader from "../../shaders/ssl/batch_contrast_grad.wgsl";
import { ceilDiv, foldGrid } from "./grid.ts";
import { defineKernel } from "./kernel.ts";

export const treeEdges = defineKernel(treeEdgesShader, ({ views, trials, blocks, nodes }, { WG }) =>
  foldGrid(ceilDiv(views * trials * blocks * nodes, WG)),
);
export const treeValues = defineKernel(treeValuesShader, ({ views, trials, blocks, nodes, leaves }, { WG, LATENTS }) =>
  foldGrid(ceilDiv(views * trials * blocks * (LATENTS ? nodes : leaves), WG)),
);

/** Invocations of a locally connected layer: `parts` for each tile of each (view, trial, node). */
function localGrid(parts: number, tiles: number, { WG, FLAT }: { readonly WG: number; readonly FLAT: number }) {
  return foldGrid(FLAT ? ceilDiv(parts * tiles, WG) : ceilDiv(parts, WG) * tiles);
}
export const locallyConnected = defineKernel(
  locallyConnectedShader,
  ({ parts, fan_out, views, trials, nodes }, knobs) =>
    localGrid(parts, (fan_out / knobs.OUT) * views * trials * nodes, knobs),
);
export const locallyConnectedGrad = defineKernel(
  locallyConnectedGradShader,
  ({ parts, fan_in, views, trials, nodes }, knobs) =>
    localGrid(parts, (fan_in / knobs.IN) * views * trials * nodes, knobs),
);

export const batchContrast = defineKernel(batchContrastShader, ({ trials }) => [trials, 1, 1]);
export const batchContrastGrad = defineKernel(batchContrastGradShader, ({ trials, count }, { WG }) =>
  foldGrid(ceilDiv(trials * count, WG)),
);
export const latentMoments = defineKernel(latentMomentsShader, ({ trials, nodes, units }, { WG }) =>
  foldGrid(ceilDiv(trials * nodes * units, WG)),
);
export const rootContrast = defineKernel(rootContrastShader, ({ trials, rows }, { WG }) =>
  foldGrid(ceilDiv(trials * rows, WG)),
);
export const operatorNorm = defineKernel(operatorNormShader, ({ cells }) => foldGrid(cells));
