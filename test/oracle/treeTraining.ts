/**
 * Reference of an HLTM training run in float64: one network at a time, one sample at a time, losses differentiated by hand. Written from
 * the description of luckmatters/ssl/hltm; shares nothing with the engine but the drawn samples.
 */

export interface ReferenceShape {
  readonly depth: number;
  readonly branching: number;
  readonly width: number;
}

/** Weights of a node: `width` rows of fan_in weights and a bias. */
export type NodeWeights = number[][];
/** [level 1 … depth][node]. */
export type TreeWeights = NodeWeights[][];

interface Pass {
  /** What enters every node, after the ReLU. [level][node]. */
  readonly inputs: number[][][];
  /** Before the ReLU. [level][node]. */
  readonly outputs: number[][][];
}

export function forward(leaves: readonly number[], weights: TreeWeights, { branching }: ReferenceShape): Pass {
  const inputs: number[][][] = [];
  const outputs: number[][][] = [];
  let below: number[][] = leaves.map((leaf) => [leaf]);
  for (const level of weights) {
    const entering = level.map((_, node) =>
      below
        .slice(node * branching, (node + 1) * branching)
        .flatMap((values) => values.map((value) => Math.max(0, value))),
    );
    const leaving = level.map((rows, node) =>
      rows.map((row) => entering[node]!.reduce((sum, value, i) => sum + row[i]! * value, row.at(-1)!)),
    );
    inputs.push(entering);
    outputs.push(leaving);
    below = leaving;
  }
  return { inputs, outputs };
}

/** Adds the derivative of Σ cotangent·output to `gradient`. */
function backward(
  pass: Pass,
  cotangent: readonly number[],
  weights: TreeWeights,
  gradient: TreeWeights,
  { branching }: ReferenceShape,
): void {
  let above: number[][] = [[...cotangent]];
  for (let level = weights.length - 1; level >= 0; level--) {
    const next: number[][] = [];
    weights[level]!.forEach((rows, node) => {
      const entering = pass.inputs[level]![node]!;
      const down = entering.map(() => 0);
      rows.forEach((row, o) => {
        const slope = above[node]![o]!;
        entering.forEach((value, i) => {
          gradient[level]![node]![o]![i]! += slope * value;
          down[i]! += slope * row[i]!;
        });
        gradient[level]![node]![o]![entering.length]! += slope;
      });
      const width = entering.length / branching;
      for (let child = 0; child < branching; child++) {
        // Through the ReLU: nothing where what entered was zero.
        next.push(
          down
            .slice(child * width, (child + 1) * width)
            .map((value, i) => (entering[child * width + i]! > 0 ? value : 0)),
        );
      }
    });
    above = next;
  }
}

const EPSILON = 1e-4;

function normalized(x: readonly number[]): { z: number[]; norm: number } {
  const norm = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return { z: x.map((value) => value / (norm + EPSILON)), norm };
}

/** Cotangent of x from that of x/(‖x‖ + ε). */
function throughNormalizer(x: readonly number[], norm: number, dz: readonly number[]): number[] {
  if (norm === 0) return dz.map((value) => value / EPSILON);
  const along = x.reduce((sum, value, i) => sum + value * dz[i]!, 0);
  return x.map((value, i) => dz[i]! / (norm + EPSILON) - (value * along) / (norm * (norm + EPSILON) ** 2));
}

export type ReferenceLoss =
  | { readonly kind: "batchSigmoid"; readonly temperature: number }
  | { readonly kind: "batchDifference" }
  | { readonly kind: "infoNce"; readonly temperature: number }
  | { readonly kind: "softTriplet"; readonly temperature: number; readonly margin: number }
  | { readonly kind: "simpleContrastive" };

/** Loss of a batch of triplets (anchor, positive, negative) and its derivatives by their normalised outputs. */
function contrast(triplets: readonly (readonly [number[], number[], number[]])[], loss: ReferenceLoss) {
  const rows = triplets.length;
  const width = triplets[0]![0].length;
  const squared = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
  const distances = triplets.map(([a, p, n]) => [squared(a, p), squared(a, n)] as const);
  let value = 0;
  // Derivatives by every triplet's squared distances to positive and negative.
  let slopes: (readonly [number, number])[];
  if (loss.kind === "batchSigmoid" || loss.kind === "batchDifference") {
    const mean = (which: 0 | 1) => distances.reduce((sum, pair) => sum + pair[which], 0) / (rows * width);
    const difference = mean(0) - mean(1);
    let slope = 1;
    value = difference;
    if (loss.kind === "batchSigmoid") {
      const [near, far] = [Math.exp(-mean(0) / loss.temperature), Math.exp(-mean(1) / loss.temperature)];
      value = -near / (near + far);
      slope = (near * far) / (near + far) ** 2 / loss.temperature;
    }
    slopes = distances.map(() => [slope / (rows * width), -slope / (rows * width)] as const);
  } else {
    slopes = distances.map(([near, far]) => {
      const difference = (near - far) / 2;
      if (loss.kind === "simpleContrastive") {
        value += difference / rows;
        return [0.5 / rows, -0.5 / rows] as const;
      }
      const margin = loss.kind === "softTriplet" ? loss.margin : 0;
      const height = loss.kind === "softTriplet" ? loss.temperature : 1;
      const e = Math.exp((difference + margin) / loss.temperature);
      value += (height * Math.log(1 + e)) / rows;
      const slope = ((height / loss.temperature) * e) / (1 + e) / rows;
      return [slope / 2, -slope / 2] as const;
    });
  }
  const cotangents = triplets.map(([a, p, n], row) => {
    const [toPositive, toNegative] = slopes[row]!;
    const towards = (other: readonly number[], slope: number) => a.map((x, i) => 2 * slope * (x - other[i]!));
    const near = towards(p, toPositive);
    const far = towards(n, toNegative);
    return [near.map((x, i) => x + far[i]!), near.map((x) => -x), far.map((x) => -x)] as const;
  });
  return { value, cotangents };
}

/**
 * One step of gradient descent, in place.
 *
 * @param views leaves of sample, positive and negative, [3][rows][leaves]
 * @returns the loss before it
 */
export function trainingStep(
  weights: TreeWeights,
  views: readonly (readonly (readonly number[])[])[],
  shape: ReferenceShape,
  loss: ReferenceLoss,
  learningRate: number,
): number {
  const passes = views.map((rows) => rows.map((leaves) => forward(leaves, weights, shape)));
  const outputs = passes.map((rows) => rows.map(({ outputs: all }) => all.at(-1)![0]!));
  const normal = outputs.map((rows) => rows.map(normalized));
  const triplets = normal[0]!.map((anchor, row) => [anchor.z, normal[1]![row]!.z, normal[2]![row]!.z] as const);
  const { value, cotangents } = contrast(triplets, loss);
  const gradient: TreeWeights = weights.map((level) => level.map((rows) => rows.map((row) => row.map(() => 0))));
  passes.forEach((rows, view) => {
    rows.forEach((pass, row) => {
      const dz = cotangents[row]![view as 0 | 1 | 2];
      const cotangent = throughNormalizer(outputs[view]![row]!, normal[view]![row]!.norm, dz);
      backward(pass, cotangent, weights, gradient, shape);
    });
  });
  weights.forEach((level, l) => {
    level.forEach((rows, node) => {
      rows.forEach((row, o) => {
        row.forEach((_, i) => {
          row[i]! -= learningRate * gradient[l]![node]![o]![i]!;
        });
      });
    });
  });
  return value;
}
