/** Kernels of latent trees and of networks that mirror them. */
import treeEdgesShader from "../../shaders/hltm/tree_edges.wgsl";
import treeValuesShader from "../../shaders/hltm/tree_values.wgsl";
import { ceilDiv, foldGrid } from "./grid.ts";
import { defineKernel } from "./kernel.ts";

export const treeEdges = defineKernel(treeEdgesShader, ({ views, trials, blocks, nodes }, { WG }) =>
  foldGrid(ceilDiv(views * trials * blocks * nodes, WG)),
);
export const treeValues = defineKernel(treeValuesShader, ({ views, trials, blocks, nodes, leaves }, { WG, LATENTS }) =>
  foldGrid(ceilDiv(views * trials * blocks * (LATENTS ? nodes : leaves), WG)),
);
