/** Augmentation on the GPU: seeded by (seed, step, image, view). */
export * from "./draws.ts";
export {
  blurRadius,
  type Range,
  RECIPES,
  type Recipe,
  type RecipeName,
  recipeNamed,
  staircaseRecipe,
  type ViewRecipe,
} from "./recipes.ts";
export * from "./views.ts";
