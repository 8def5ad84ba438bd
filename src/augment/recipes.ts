/** Augmentation recipes: what is drawn for each view, as data, and the recipes of the self-supervised literature by name. */
import { EngineError } from "../errors.ts";

/** A uniform distribution on [low, high]. */
export type Range = readonly [low: number, high: number];

/** What is drawn for one view. Every field left out means that this operation never happens. */
export interface ViewRecipe {
  readonly crop: {
    /** Area of the crop relative to the image's, within (0, 1]. */
    readonly scale: Range;
    /** Width over height of the crop, log-uniform. */
    readonly ratio: Range;
  };
  /** Probability of a flip left to right. */
  readonly flip?: number;
  /** Strengths j: a factor is uniform on [max(0, 1 − j), 1 + j]; the hue turns by at most ±hue turns, hue within [0, ½]. */
  readonly jitter?: {
    readonly probability: number;
    readonly brightness: number;
    readonly contrast: number;
    readonly saturation: number;
    readonly hue: number;
  };
  /** Probability of grayscale. */
  readonly gray?: number;
  /** Gaussian blur, standard deviation in pixels of the view. */
  readonly blur?: { readonly probability: number; readonly sigma: Range };
  /** x ≥ threshold becomes 1 − x; x in [0, 1]. */
  readonly solarize?: { readonly probability: number; readonly threshold: number };
}

/** How a batch of views is made. */
export interface Recipe {
  /** One recipe for each view; two equal ones for a symmetric pair. */
  readonly views: readonly ViewRecipe[];
  /**
   * `integer`: sides and corner in whole pixels, up to ten attempts, taps stop at the crop's edge (torchvision's RandomResizedCrop).
   * `real`: real sides and corner, taps stop at the image's edge.
   */
  readonly crop: "integer" | "real";
  /** `bicubic`: Keys' kernel, coefficient `cubic`. Never antialiased: torchvision on tensors with antialias=False; PIL widens its kernel. */
  readonly interpolation: "bilinear" | "bicubic";
  /** −0.75 unless given, as PyTorch; PIL has −0.5. */
  readonly cubic?: number;
  /** Points per axis that are averaged for a pixel of the view; 1 unless given. */
  readonly samples?: number;
  /** `random`: all four colour operations in an order drawn anew. `fixed`: brightness, contrast, saturation, hue. */
  readonly order: "random" | "fixed";
  /** Taps of the blur, odd; 2·⌊side/20⌋ + 1, at least 3, unless given: a tenth of the side, as SimCLR (23 of 224, 9 of 96). */
  readonly blurTaps?: number;
}

const BICUBIC = { crop: "integer", interpolation: "bicubic", order: "random" } as const;
const RATIO: Range = [3 / 4, 4 / 3];
const SIGMA: Range = [0.1, 2];

function pair(first: ViewRecipe, second: ViewRecipe = first): readonly ViewRecipe[] {
  return [first, second];
}

/** BYOL's distribution, which Barlow Twins and VICReg took over. */
const BYOL_VIEW: ViewRecipe = {
  crop: { scale: [0.08, 1], ratio: RATIO },
  flip: 0.5,
  jitter: { probability: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 },
  gray: 0.2,
};
const SOLARIZE = { probability: 0.2, threshold: 0.5 };
const BYOL: Recipe = {
  ...BICUBIC,
  views: pair(
    { ...BYOL_VIEW, blur: { probability: 1, sigma: SIGMA } },
    { ...BYOL_VIEW, blur: { probability: 0.1, sigma: SIGMA }, solarize: SOLARIZE },
  ),
};

/** Presets by name. */
export const RECIPES = {
  /** Chen et al. 2020, strength 1: jitter (.8, .8, .8, .2) with probability .8, gray .2, blur .5. */
  simclr: {
    ...BICUBIC,
    views: pair({
      crop: { scale: [0.08, 1], ratio: RATIO },
      flip: 0.5,
      jitter: { probability: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 },
      gray: 0.2,
      blur: { probability: 0.5, sigma: SIGMA },
    }),
  },
  /** Zbontar et al. 2021: view 1 always blurred; view 2 blurred with probability .1, solarised with .2. */
  barlow: BYOL,
  /** Grill et al. 2020, Table 6. */
  byol: BYOL,
  /** `barlow` for images of 32 × 32: without blur (solo-learn's CIFAR configuration of Barlow Twins and BYOL). */
  asymmetric: { ...BICUBIC, views: pair(BYOL_VIEW, { ...BYOL_VIEW, solarize: SOLARIZE }) },
  /** solo-learn's CIFAR configuration of VICReg: crop (.2, 1), both views solarised with probability .1, no blur. */
  vicreg: {
    ...BICUBIC,
    views: pair({
      ...BYOL_VIEW,
      crop: { scale: [0.2, 1], ratio: RATIO },
      solarize: { ...SOLARIZE, probability: 0.1 },
    }),
  },
  /** SimSiam on CIFAR-10 (Chen & He 2021, appendix D): crop (.2, 1), jitter (.4, .4, .4, .1) with probability .8, gray .2, no blur. */
  weak: {
    ...BICUBIC,
    views: pair({
      crop: { scale: [0.2, 1], ratio: RATIO },
      flip: 0.5,
      jitter: { probability: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      gray: 0.2,
    }),
  },
  /** Views of the staircase presets: square crop of area U(½, 1), 2 × 2 bilinear samples a pixel, flip, factors U(.8, 1.2). */
  staircase: staircaseRecipe(),
  /** The whole image, resized: for evaluation and probes. One view. */
  none: {
    views: [{ crop: { scale: [1, 1], ratio: [1, 1] } }],
    crop: "real",
    interpolation: "bilinear",
    order: "fixed",
  },
} as const satisfies Readonly<Record<string, Recipe>>;

export type RecipeName = keyof typeof RECIPES;

/** @param minArea least area of the crop; @param strength of brightness, contrast and saturation */
export function staircaseRecipe(minArea = 0.5, strength = 0.2): Recipe {
  const factors = { brightness: strength, contrast: strength, saturation: strength };
  return {
    views: pair({
      crop: { scale: [minArea, 1], ratio: [1, 1] },
      flip: 0.5,
      jitter: { probability: 1, ...factors, hue: 0 },
    }),
    crop: "real",
    interpolation: "bilinear",
    samples: 2,
    order: "fixed",
  };
}

/** @throws EngineError CONFIG-AUGMENT naming the recipes there are */
export function recipeNamed(name: string): Recipe {
  const known: Readonly<Record<string, Recipe>> = RECIPES;
  const recipe = Object.hasOwn(known, name) ? known[name] : undefined;
  if (recipe) return recipe;
  throw augmentError(name, `There is no augmentation ${name}`, `Use one of ${Object.keys(RECIPES).join(", ")}.`);
}

/** Taps on either side of the middle one for views of a given side; 0 when no view is blurred. */
export function blurRadius(recipe: Recipe, side: number): number {
  if (!recipe.views.some(({ blur }) => blur && blur.probability > 0)) return 0;
  return recipe.blurTaps === undefined ? Math.max(1, Math.floor(0.05 * side)) : (recipe.blurTaps - 1) / 2;
}

/**
 * Checks every number of a recipe against its range.
 *
 * @param side smaller side of the views in pixels
 * @throws EngineError CONFIG-AUGMENT naming the field, its value and what it may be
 */
export function checkRecipe(recipe: Recipe, side: number): void {
  const check = (field: string, value: number, low: number, high: number): void => {
    if (value >= low && value <= high) return;
    throw augmentError(field, `Augmentation: ${field} is ${value}`, `Choose it from ${low} to ${high}.`);
  };
  const checkRange = (field: string, [low, high]: Range, least: number, most: number): void => {
    check(`${field}[0]`, low, least, most);
    check(`${field}[1]`, high, low, most);
  };
  check("the number of views", recipe.views.length, 1, 2);
  const samples = recipe.samples ?? 1;
  check("samples", Number.isInteger(samples) ? samples : Number.NaN, 1, 4);
  check("cubic", recipe.cubic ?? -0.75, -1, 0);
  recipe.views.forEach(({ crop, flip, jitter, gray, blur, solarize }, view) => {
    const field = (name: string) => `views[${view}].${name}`;
    checkRange(field("crop.scale"), crop.scale, Number.MIN_VALUE, 1);
    checkRange(field("crop.ratio"), crop.ratio, 1 / 16, 16);
    check(field("flip"), flip ?? 0, 0, 1);
    check(field("gray"), gray ?? 0, 0, 1);
    check(field("jitter.probability"), jitter?.probability ?? 0, 0, 1);
    for (const name of ["brightness", "contrast", "saturation"] as const) {
      check(field(`jitter.${name}`), jitter?.[name] ?? 0, 0, 16);
    }
    check(field("jitter.hue"), jitter?.hue ?? 0, 0, 0.5);
    check(field("blur.probability"), blur?.probability ?? 0, 0, 1);
    if (blur) checkRange(field("blur.sigma"), blur.sigma, 0.05, 1000);
    check(field("solarize.probability"), solarize?.probability ?? 0, 0, 1);
    check(field("solarize.threshold"), solarize?.threshold ?? 0, 0, 1);
  });
  const radius = blurRadius(recipe, side);
  if (Number.isInteger(radius) && radius >= 0 && radius < side) return;
  throw augmentError(
    "blurTaps",
    `Augmentation: a blur of ${2 * radius + 1} taps reflects at the edges of views of ${side} pixels`,
    `Give an odd number of taps, at most ${2 * side - 1}.`,
  );
}

export function augmentError(where: string, message: string, fix: string): EngineError {
  return new EngineError({ code: "CONFIG-AUGMENT", message, fix, where });
}
