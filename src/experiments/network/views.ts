/** How a configuration's views are drawn: recipe, sides, normalisation. */
import { RECIPES, type Recipe, recipeNamed, staircaseRecipe } from "../../augment/recipes.ts";
import type { RandomKey, ViewsOptions } from "../../augment/views.ts";
import { RandomStream } from "../../data/index.ts";
import type { PixelLayout } from "../../ops/random.ts";
import type { NetworkConfig } from "./config.ts";

/** Means and standard deviations of the training sets' channels, in [0, 1]. */
export const NORMALIZATION = {
  cifar10: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  mnist: { mean: [0.1307, 0.1307, 0.1307], std: [0.3081, 0.3081, 0.3081] },
  stl10: { mean: [0.4467, 0.4398, 0.4066], std: [0.2603, 0.2566, 0.2713] },
} as const;

/** What any kind of run that draws views says about them. */
export interface ViewsConfig {
  readonly data: Pick<NetworkConfig["data"], "source" | "side" | "augmentation">;
}

/** @throws EngineError CONFIG-AUGMENT */
export function recipeOf({ data: { augmentation } }: ViewsConfig): Recipe {
  return augmentation.recipe === "staircase"
    ? staircaseRecipe(augmentation.minArea, augmentation.jitter)
    : recipeNamed(augmentation.recipe);
}

/** Options of `augmentedViews` for the two views of a pair. */
export function viewsOptions(config: ViewsConfig, layout: PixelLayout, key: RandomKey): ViewsOptions {
  const { source, side } = config.data;
  return { recipe: recipeOf(config), layout, height: side, width: side, ...NORMALIZATION[source], key };
}

/** The whole image, resized: one view without augmentation. */
export function wholeImages(config: NetworkConfig, layout: PixelLayout, seed: number): ViewsOptions {
  const options = viewsOptions(config, layout, { seed, stream: RandomStream.augmentation });
  return { ...options, recipe: RECIPES.none };
}
