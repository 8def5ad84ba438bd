/** Latent trees against sums over all assignments, written here a second time and without recursion. */
import { describe, expect, it } from "vitest";
import {
  asymmetricTree,
  beliefCeiling,
  cosine,
  enumerateTree,
  expectation,
  firstChildOf,
  gapDeviation,
  type LatentTree,
  largestOfNormals,
  latentCount,
  latentPosteriors,
  marginals,
  nodeCount,
  nodesOfLevel,
  parentOf,
  pathPolarity,
  rankOneLaw,
  symmetricTree,
  type TreeShape,
} from "../../src/theory/index.ts";
import { TestRandom } from "../support/random.ts";

/** A tree with every conditional probability free and signs of both kinds. */
function randomTree(shape: TreeShape, seed: number, prior = 0.5): LatentTree {
  const random = new TestRandom(seed);
  const edges = nodeCount(shape) - 1;
  const draw = () => Array.from({ length: edges }, () => 0.05 + 0.9 * random.uniform());
  return asymmetricTree(shape, draw(), draw(), prior);
}

function polarities(shape: TreeShape, low: number, seed: number): number[] {
  const random = new TestRandom(seed);
  return Array.from({ length: nodeCount(shape) - 1 }, () => {
    const sign = random.uniform() < 0.5 ? -1 : 1;
    return sign * (low + (1 - low) * random.uniform());
  });
}

/** Joint probabilities of all assignments, assignment a having value (a >> node) & 1 at a node: a product over a table of parents. */
function jointTable(tree: LatentTree): Float64Array {
  const nodes = nodeCount(tree);
  const parents = Array.from({ length: nodes }, (_, node) => Math.trunc((node - 1) / tree.branching));
  return Float64Array.from({ length: 2 ** nodes }, (_, assignment) => {
    let product = 1;
    for (let node = 0; node < nodes; node++) {
      const above = (assignment >> parents[node]!) & 1;
      const one = node === 0 ? tree.prior : above ? tree.givenOne[node - 1]! : tree.givenZero[node - 1]!;
      product *= (assignment >> node) & 1 ? one : 1 - one;
    }
    return product;
  });
}

/** Nodes of the subtree of a node, and the leaves among them. */
function leavesBelow(tree: LatentTree, node: number): number[] {
  const { first } = nodesOfLevel(tree, 0);
  if (node >= first) return [node];
  const child0 = firstChildOf(tree, node);
  return Array.from({ length: tree.branching }, (_, i) => leavesBelow(tree, child0 + i)).flat();
}

/** √(Var E[z | leaves below] / Var z), by collecting the joint table per pattern of those leaves. */
function bestCorrelation(tree: LatentTree, node: number): number {
  const table = jointTable(tree);
  const leaves = leavesBelow(tree, node);
  const patterns = new Map<string, [number, number]>();
  table.forEach((probability, assignment) => {
    const key = leaves.map((leaf) => (assignment >> leaf) & 1).join("");
    const entry = patterns.get(key) ?? [0, 0];
    entry[(assignment >> node) & 1]! += probability;
    patterns.set(key, entry);
  });
  let [mean, square] = [0, 0];
  for (const [zero, one] of patterns.values()) {
    mean += one;
    if (zero + one > 0) square += (one * one) / (zero + one);
  }
  return Math.sqrt((square - mean * mean) / (mean * (1 - mean)));
}

const SHAPES: readonly TreeShape[] = [
  { depth: 1, branching: 2 },
  { depth: 3, branching: 2 },
  { depth: 2, branching: 3 },
  { depth: 4, branching: 1 },
  { depth: 1, branching: 5 },
];

describe.each(SHAPES)("trees of depth $depth, branching $branching", (shape) => {
  const tree = randomTree(shape, 3 + shape.depth, 0.3);
  const table = jointTable(tree);

  it("levels are runs of nodes, parents and children agree", () => {
    let nodes = 0;
    for (let level = shape.depth; level >= 0; level--) {
      const range = nodesOfLevel(shape, level);
      expect(range).toEqual({ first: nodes, count: shape.branching ** (shape.depth - level) });
      nodes += range.count;
    }
    expect(nodeCount(shape)).toBe(nodes);
    for (let node = 0; node < latentCount(shape); node++) {
      for (let i = 0; i < shape.branching; i++) expect(parentOf(shape, firstChildOf(shape, node) + i)).toBe(node);
    }
  });

  it("enumeration: every assignment once, with the product of its conditionals", () => {
    const seen = new Map<number, number>();
    enumerateTree(tree, (values, probability) => {
      const assignment = values.reduce((sum, value, node) => sum + value * 2 ** node, 0);
      expect(seen.has(assignment)).toBe(false);
      seen.set(assignment, probability);
    });
    expect(seen.size).toBe(table.length);
    for (const [assignment, probability] of seen)
      expect(Math.abs(probability - table[assignment]!)).toBeLessThan(1e-16);
  });

  it("marginals and path polarities", () => {
    const ones = expectation(tree, (values) => values);
    marginals(tree).forEach((one, node) => {
      expect(Math.abs(one - ones[node]!)).toBeLessThan(1e-14);
    });
    for (let node = 0; node < ones.length; node++) {
      // P(z_n = 1 | z_0 = 1) − P(z_n = 1 | z_0 = 0) from the table.
      const given = [0, 0];
      table.forEach((probability, assignment) => {
        if ((assignment >> node) & 1) given[assignment & 1]! += probability / (assignment & 1 ? 0.3 : 0.7);
      });
      expect(Math.abs(pathPolarity(tree, node) - (given[1]! - given[0]!))).toBeLessThan(1e-14);
    }
  });

  it("posteriors of every node from the leaves below it", () => {
    const { first, count } = nodesOfLevel(shape, 0);
    const random = new TestRandom(9);
    for (let trial = 0; trial < 5; trial++) {
      const leaves = Array.from({ length: count }, () => random.integer(2));
      const posteriors = latentPosteriors(tree, leaves);
      for (let node = 0; node < first; node++) {
        const below = leavesBelow(tree, node);
        const sums = [0, 0];
        table.forEach((probability, assignment) => {
          if (below.every((leaf) => ((assignment >> leaf) & 1) === leaves[leaf - first]))
            sums[(assignment >> node) & 1]! += probability;
        });
        expect(Math.abs(posteriors[node]! - sums[1]! / (sums[0]! + sums[1]!))).toBeLessThan(1e-12);
      }
    }
  });

  it("the ceiling is the best correlation over all functions of the leaves below", () => {
    beliefCeiling(tree).forEach((ceiling, node) => {
      expect(Math.abs(ceiling - bestCorrelation(tree, node))).toBeLessThan(1e-12);
    });
  });
});

describe("rank-one law", () => {
  /** Random ReLU features of the leaves below each child: any activations do. */
  function lawAndCovariance(tree: LatentTree, node: number, seed: number, perChild = 3) {
    const random = new TestRandom(seed);
    const { first } = nodesOfLevel(tree, 0);
    const child0 = firstChildOf(tree, node);
    const features = Array.from({ length: tree.branching * perChild }, (_, k) => {
      const child = child0 + Math.floor(k / perChild);
      return {
        child,
        leaves: leavesBelow(tree, child).map((leaf) => ({ leaf, weight: random.normal() })),
        bias: random.normal(),
      };
    });
    const activate = (values: (n: number) => number) =>
      features.map(({ leaves, bias }) =>
        Math.max(
          0,
          leaves.reduce((sum, { leaf, weight }) => sum + weight * values(leaf), bias),
        ),
      );
    // Means of every activation given its own child's value, and given the root's.
    const table = jointTable(tree);
    const n = features.length;
    const childMass = features.map(() => [0, 0]);
    const childSum = features.map(() => [0, 0]);
    const rootMass = [0, 0];
    const rootSum = [new Float64Array(n), new Float64Array(n)];
    table.forEach((probability, assignment) => {
      const f = activate((leaf) => (assignment >> leaf) & 1);
      rootMass[assignment & 1]! += probability;
      f.forEach((value, k) => {
        const z = (assignment >> features[k]!.child) & 1;
        childMass[k]![z]! += probability;
        childSum[k]![z]! += probability * value;
        rootSum[assignment & 1]![k]! += probability * value;
      });
    });
    const selectivities = features.map(
      (_, k) => 0.5 * (childSum[k]![1]! / childMass[k]![1]! - childSum[k]![0]! / childMass[k]![0]!),
    );
    const covariance = (i: number, j: number) => {
      const mean = (k: number) => rootSum[0]![k]! + rootSum[1]![k]!;
      let sum = 0;
      for (const z of [0, 1]) {
        sum += rootMass[z]! * (rootSum[z]![i]! / rootMass[z]! - mean(i)) * (rootSum[z]![j]! / rootMass[z]! - mean(j));
      }
      return sum;
    };
    expect(first).toBeGreaterThan(0);
    return { law: rankOneLaw(tree, node, selectivities), covariance, n, selectivities };
  }

  const cases: readonly [TreeShape, number][] = [
    [{ depth: 3, branching: 2 }, 0.5],
    [{ depth: 3, branching: 2 }, 0.2],
    [{ depth: 2, branching: 3 }, 0.7],
  ];

  it.each(cases)("%o, prior %d: every latent, to 1e-12", (shape, prior) => {
    const tree = randomTree(shape, 17, prior);
    for (let node = 0; node < latentCount(shape); node++) {
      const { law, covariance, n } = lawAndCovariance(tree, node, 40 + node);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          const predicted = law.strength * law.direction[i]! * law.direction[j]!;
          expect(Math.abs(predicted - covariance(i, j))).toBeLessThan(1e-12);
        }
      }
    }
  });

  it("on a tree with signs of both kinds the signs matter (control)", () => {
    const shape = { depth: 3, branching: 2 };
    const signs = polarities(shape, 0.6, 5);
    const tree = symmetricTree(shape, signs);
    const unsigned = symmetricTree(shape, signs.map(Math.abs));
    let worst = 0;
    for (let node = 0; node < latentCount(shape); node++) {
      const { law, covariance, n, selectivities } = lawAndCovariance(tree, node, 60 + node);
      const wrong = rankOneLaw(unsigned, node, selectivities);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          expect(Math.abs(law.strength * law.direction[i]! * law.direction[j]! - covariance(i, j))).toBeLessThan(1e-12);
          worst = Math.max(
            worst,
            Math.abs(wrong.strength * wrong.direction[i]! * wrong.direction[j]! - covariance(i, j)),
          );
        }
      }
    }
    expect(worst).toBeGreaterThan(1e-3);
  });
});

describe("ceiling", () => {
  it("symmetric trees: m = tanh(Σ atanh(ρ m_child)), and the correlation of m with z over samples", () => {
    const shape = { depth: 4, branching: 2 };
    const rho = polarities(shape, 0.7, 21);
    const tree = symmetricTree(shape, rho);
    const random = new TestRandom(22);
    const { first, count } = nodesOfLevel(shape, 0);
    const nodes = nodeCount(shape);
    const samples = 20_000;
    const sums = Array.from({ length: first }, () => ({ z: 0, m: 0, mm: 0, zm: 0 }));
    for (let sample = 0; sample < samples; sample++) {
      const z = new Uint8Array(nodes);
      z[0] = random.integer(2);
      for (let node = 1; node < nodes; node++) {
        const same = random.uniform() < (1 + rho[node - 1]!) / 2;
        z[node] = same ? z[parentOf(shape, node)]! : 1 - z[parentOf(shape, node)]!;
      }
      const posterior = latentPosteriors(tree, z.subarray(first));
      const m = new Float64Array(nodes);
      for (let node = nodes - 1; node >= 0; node--) {
        if (node >= first) m[node] = 2 * z[node]! - 1;
        else {
          let evidence = 0;
          for (const child of [2 * node + 1, 2 * node + 2]) evidence += Math.atanh(rho[child - 1]! * m[child]!);
          m[node] = Math.tanh(evidence);
          if (sample < 20) expect(Math.abs(m[node]! - (2 * posterior[node]! - 1))).toBeLessThan(1e-12);
          const sum = sums[node]!;
          sum.z += z[node]!;
          sum.m += m[node]!;
          sum.mm += m[node]! ** 2;
          sum.zm += z[node]! * m[node]!;
        }
      }
    }
    expect(count).toBe(16);
    beliefCeiling(tree).forEach((ceiling, node) => {
      const { z, m, mm, zm } = sums[node]!;
      const covariance = zm / samples - (z / samples) * (m / samples);
      const correlation =
        covariance / Math.sqrt((mm / samples - (m / samples) ** 2) * (z / samples) * (1 - z / samples));
      // Five standard errors of a sample correlation, (1 − r²)/√n, with room for the correlation's own kurtosis.
      expect(Math.abs(correlation - ceiling)).toBeLessThan((10 * (1 - ceiling ** 2)) / Math.sqrt(samples) + 1e-3);
    });
  });

  it("merging outcomes lowers the result, and by little", () => {
    const tree = symmetricTree({ depth: 4, branching: 2 }, polarities({ depth: 4, branching: 2 }, 0.7, 2));
    const exact = beliefCeiling(tree, { outcomes: 2 ** 16 });
    for (const [outcomes, tolerance] of [
      [2048, 1e-7],
      [256, 1e-5],
      [32, 1e-3],
    ] as const) {
      beliefCeiling(tree, { outcomes }).forEach((ceiling, node) => {
        expect(ceiling).toBeLessThanOrEqual(exact[node]! + 1e-14);
        expect(exact[node]! - ceiling).toBeLessThan(tolerance);
      });
    }
  });

  /**
   * Means over trees of the mean over latents of a level, depth 5, |ρ| ~ U[low, 1]; root first. From an independent Monte Carlo over 20
   * trees (means and standard deviations over trees of the root and of level 1; the levels between were given without).
   */
  const KNOWN = [
    { low: 0.7, means: [0.884, 0.868, 0.882, 0.896, 0.929], rootDeviation: 0.048, lowestDeviation: 0.01 },
    { low: 0.8, means: [0.94, 0.927, 0.933, 0.939, 0.955], rootDeviation: 0.029, lowestDeviation: 0.006 },
    { low: 0.9, means: [0.978, 0.971, 0.973, 0.974, 0.978], rootDeviation: 0.013, lowestDeviation: 0.003 },
  ] as const;

  it.each(KNOWN)("20 trees of depth 5 with |ρ| ~ U[$low, 1]", ({ low, means, rootDeviation, lowestDeviation }) => {
    const shape = { depth: 5, branching: 2 };
    const trees = 20;
    const sums = [0, 0, 0, 0, 0];
    for (let seed = 0; seed < trees; seed++) {
      const ceiling = beliefCeiling(symmetricTree(shape, polarities(shape, low, 100 + seed)), { outcomes: 512 });
      for (let level = 5; level >= 1; level--) {
        const { first, count } = nodesOfLevel(shape, level);
        for (let node = first; node < first + count; node++) sums[5 - level]! += ceiling[node]! / count / trees;
      }
    }
    sums.forEach((mean, index) => {
      // A mean over n nodes has a deviation between the root's (one node) and level 1's (16 nodes); the larger one bounds all.
      const deviation = index === 4 ? lowestDeviation : rootDeviation;
      // Both sides are means over 20 trees: standard error of the difference √(2/20)·deviation; three of them, and the rounding.
      expect(Math.abs(mean - means[index]!)).toBeLessThan(3 * Math.sqrt(2 / trees) * deviation + 5e-4);
    });
  });

  it("is 0 for constant latents, 1 for deterministic edges, and |ρ| for a chain of one edge", () => {
    expect([...beliefCeiling(symmetricTree({ depth: 2, branching: 1 }, [1, -1]))]).toEqual([1, 1]);
    expect(beliefCeiling(symmetricTree({ depth: 1, branching: 1 }, [-0.4]))[0]).toBeCloseTo(0.4, 12);
    expect([...beliefCeiling(asymmetricTree({ depth: 1, branching: 1 }, [0.2], [0.9], 1))]).toEqual([0]);
    expect([...beliefCeiling(symmetricTree({ depth: 1, branching: 2 }, [0, 0]))]).toEqual([0]);
  });
});

describe("lucky nodes", () => {
  it("the largest of n normals: exact for n = 1 and 2, the sample mean for more", () => {
    expect(largestOfNormals(1)).toBeCloseTo(Math.sqrt(2 / Math.PI), 6);
    expect(largestOfNormals(2)).toBeCloseTo(2 / Math.sqrt(Math.PI), 6);
    const random = new TestRandom(31);
    for (const n of [5, 50]) {
      const runs = 4000;
      const largest = Array.from({ length: runs }, () =>
        Math.max(...Array.from({ length: n }, () => Math.abs(random.normal()))),
      );
      // The deviation of such a maximum is below 0.6 for n ≥ 5; five standard errors.
      expect(Math.abs(largestOfNormals(n) - largest.reduce((sum, x) => sum + x, 0) / runs)).toBeLessThan(
        (5 * 0.6) / Math.sqrt(runs),
      );
    }
    // √(2 ln 2n) is the leading term of the maximum of n magnitudes.
    expect(largestOfNormals(100_000) / Math.sqrt(2 * Math.log(200_000))).toBeGreaterThan(0.9);
    expect(largestOfNormals(100_000)).toBeLessThan(Math.sqrt(2 * Math.log(200_000)));
  });

  it("gaps of random nodes have the predicted deviation", () => {
    const random = new TestRandom(33);
    const direction = Array.from({ length: 20 }, () => random.normal());
    const bound = 1 / Math.sqrt(20);
    const gaps = Array.from({ length: 20_000 }, () =>
      direction.reduce((sum, a) => sum + 2 * a * bound * (2 * random.uniform() - 1), 0),
    );
    const variance = gaps.reduce((sum, gap) => sum + gap * gap, 0) / gaps.length;
    // Five standard errors of a sample variance, √(2/n).
    expect(Math.abs(variance / gapDeviation(direction, 1 / 60) ** 2 - 1)).toBeLessThan(5 * Math.sqrt(2 / gaps.length));
  });

  it("cosine", () => {
    expect(cosine([3, 4], [6, 8])).toBeCloseTo(1, 14);
    expect(cosine([1, 0], [0, 2])).toBe(0);
    expect(cosine([1, -1], [-2, 2])).toBeCloseTo(-1, 14);
    expect(cosine([0, 0], [1, 1])).toBe(0);
  });
});

describe("bad input", () => {
  const shape = { depth: 1, branching: 2 };
  it.each([
    [() => symmetricTree(shape, [0.5, 1.2]), "THEORY-POLARITY"],
    [() => symmetricTree(shape, [-1.0001, 0]), "THEORY-POLARITY"],
    [() => symmetricTree(shape, [Number.NaN, 0]), "THEORY-POLARITY"],
    [() => symmetricTree(shape, [0.5]), "THEORY-SHAPE"],
    [() => symmetricTree({ depth: 0, branching: 2 }, []), "THEORY-SHAPE"],
    [() => symmetricTree({ depth: 1, branching: 0 }, []), "THEORY-SHAPE"],
    [() => asymmetricTree(shape, [0.5, 0.5], [0.5, 1.5]), "THEORY-PROBABILITY"],
    [() => asymmetricTree(shape, [0.5, 0.5], [0.5, 0.5], -0.1), "THEORY-PROBABILITY"],
    [() => enumerateTree(randomTree({ depth: 4, branching: 2 }, 1), () => {}), "THEORY-TREE-LARGE"],
    [() => latentPosteriors(randomTree(shape, 1), [1]), "THEORY-SHAPE"],
  ])("case %#", (act, code) => {
    expect(act).toThrow(expect.objectContaining({ code }));
  });

  it("polarities at the ends of the range are admitted (control)", () => {
    expect(() => symmetricTree(shape, [-1, 1])).not.toThrow();
  });
});
