/** k-nearest-neighbour classification of l2-normalised features, by a vote weighted by similarity. Similarities on the GPU. */
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { matmul } from "../autodiff/functions.ts";
import { Graph } from "../autodiff/graph.ts";
import { planGraph } from "../autodiff/planner.ts";
import { l2Normalize } from "../autodiff/ssl.ts";
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { targetOf } from "../train/trainingStep.ts";
import { type Accuracy, accuracyOf, checkSplits, type FeatureSplits, largestScores, rowsOf } from "./features.ts";

export interface NeighborOptions {
  /** Neighbours that vote; at most the training rows. 20 unless given (solo-learn); Wu et al. use 200. */
  readonly neighbors?: number;
  /** τ of the weights exp(cosine/τ); 0.07 unless given. */
  readonly temperature?: number;
}

export interface NeighborResult {
  /** Clipped to the training rows. */
  readonly neighbors: number;
  readonly temperature: number;
  readonly test: Accuracy;
}

/** Multiply-adds of one product, and elements of its result: short enough for a GPU's watchdog, small enough to read back. */
const MOST_PRODUCTS = 2 ** 29;
const MOST_SIMILARITIES = 2 ** 22;

/**
 * Predicts each test row's class by Σ exp(cosine/τ) over its k most similar training rows (Wu et al. 2018, eq. 6; the same in DINO and
 * solo-learn). Of equal similarities the earlier row counts, of equal votes the lower class: equal inputs give equal results.
 *
 * @throws EngineError EVAL-FEATURES, EVAL-OPTION, LIMIT-… of the device
 */
export async function nearestNeighbors(
  engine: Engine,
  splits: FeatureSplits,
  { neighbors = 20, temperature = 0.07 }: NeighborOptions = {},
): Promise<NeighborResult> {
  checkSplits(splits);
  if (!(Number.isInteger(neighbors) && neighbors >= 1) || !(temperature > 0)) {
    throw new EngineError({
      code: "EVAL-OPTION",
      message: `${neighbors} neighbours with temperature ${temperature} cannot vote`,
      fix: "Use a whole number of at least 1 and a positive temperature.",
    });
  }
  const { train, test, classes } = splits;
  const k = Math.min(neighbors, rowsOf(train));
  const predicted = new Uint32Array(rowsOf(test));
  await forEachSimilarities(engine, splits, (similarities, first, rows) => {
    const votes = new Float64Array(rows * classes);
    for (let row = 0; row < rows; row++) {
      const near = mostSimilar(similarities.subarray(row * rowsOf(train), (row + 1) * rowsOf(train)), k);
      for (const { index, similarity } of near) {
        const at = row * classes + (train.labels[index] ?? 0);
        // Relative to the largest possible cosine, so that small temperatures do not overflow.
        votes[at] = (votes[at] ?? 0) + Math.exp((similarity - 1) / temperature);
      }
    }
    predicted.set(largestScores(votes, classes), first);
  });
  return { neighbors: k, temperature, test: accuracyOf(predicted, test.labels) };
}

/** Hands over cosines [rows, training rows] of consecutive test rows. */
async function forEachSimilarities(
  engine: Engine,
  { train, test }: FeatureSplits,
  visit: (similarities: Float32Array, first: number, rows: number) => void,
): Promise<void> {
  const [references, columns] = [rowsOf(train), train.columns];
  const most = Math.min(MOST_PRODUCTS / (references * columns), MOST_SIMILARITIES / references);
  const chunk = Math.max(1, Math.min(rowsOf(test), Math.floor(most)));
  const target = targetOf(engine.adapter);

  const prepare = new Graph();
  const normalized = l2Normalize(prepare.input("train", [references, columns]));
  const compare = new Graph();
  const queries = l2Normalize(compare.input("queries", [chunk, columns]));
  const similarities = matmul(queries, compare.input("references", [references, columns]), { transposeB: true });
  const plans = [
    planGraph({ graph: prepare, programs: { main: [normalized] }, outputs: { references: normalized }, target }),
    planGraph({ graph: compare, programs: { main: [similarities] }, outputs: { similarities }, target }),
  ] as const;

  const preparing = await CompiledPlan.compile(engine, plans[0]);
  try {
    preparing.write("train", train.values);
    preparing.run("main");
    const comparing = await CompiledPlan.compile(engine, plans[1], { references: preparing.buffer("references") });
    try {
      for (let first = 0; first < rowsOf(test); first += chunk) {
        const rows = Math.min(chunk, rowsOf(test) - first);
        // Rows of the chunk before stay behind the last, shorter one, and are not read.
        comparing.write("queries", test.values.subarray(first * columns, (first + rows) * columns));
        comparing.run("main");
        const bytes = await engine.readBuffer(comparing.buffer("similarities"), 0, 4 * rows * references);
        visit(new Float32Array(bytes), first, rows);
      }
    } finally {
      comparing.destroy();
    }
  } finally {
    preparing.destroy();
  }
}

interface Neighbor {
  readonly index: number;
  readonly similarity: number;
}

/** The k largest entries, largest first; the earlier one of equals. */
export function mostSimilar(similarities: ArrayLike<number>, k: number): Neighbor[] {
  const found: Neighbor[] = [];
  for (let index = 0; index < similarities.length; index++) {
    const similarity = similarities[index] ?? 0;
    const weakest = found[k - 1];
    if (weakest && similarity <= weakest.similarity) continue;
    let place = Math.min(found.length, k - 1);
    while (place > 0 && similarity > (found[place - 1]?.similarity ?? 0)) place--;
    found.splice(place, 0, { index, similarity });
    found.length = Math.min(found.length, k);
  }
  return found;
}
