/** What losses refuse, before anything is allocated; and how many dispatches they take. */
import { describe, expect, it } from "vitest";
import { slice } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { type EngineError, isEngineError } from "../../src/errors.ts";
import {
  barlowTwins,
  byol,
  crossViewInfoNce,
  exactCovariance,
  infoNce,
  ntXent,
  simpleContrastive,
  simSiam,
  softTriplet,
  spectralContrastive,
  vicreg,
  wMse,
} from "../../src/ssl/index.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";

function refusal(build: (graph: Graph) => unknown): EngineError {
  try {
    build(new Graph());
  } catch (error) {
    if (isEngineError(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

type TwoViews = (a: Tensor, b: Tensor) => Tensor;
const PAIR_LOSSES: Record<string, TwoViews> = {
  ntXent,
  crossViewInfoNce,
  exactCovariance,
  barlowTwins,
  vicreg,
  spectralContrastive,
  wMse,
};

describe("shapes", () => {
  for (const [name, loss] of Object.entries(PAIR_LOSSES)) {
    it(`${name}: views that differ are named`, () => {
      const error = refusal((graph) => loss(graph.input("a", [8, 3]), graph.input("b", [6, 3])));
      expect(error.code).toBe("GRAPH-SHAPE");
      expect(error.message).toContain("[8, 3] and [6, 3]");
    });

    it(`${name}: a batch of 1`, () => {
      const error = refusal((graph) => loss(graph.input("a", [1, 3]), graph.input("b", [1, 3])));
      expect(error.code).toBe("GRAPH-SHAPE");
      expect(error.message).toMatch(/batch of 1 .* at least 2 rows .*\[1, 3\] and \[1, 3\]/);
    });

    it(`${name}: a batch of 2 is enough for those that need variance or negatives`, () => {
      const graph = new Graph();
      expect(loss(graph.input("a", [2, 1]), graph.input("b", [2, 1])).shape).toEqual([1]);
    });
  }

  it("wMse: embeddings as wide as the batch", () => {
    const error = refusal((graph) => wMse(graph.input("a", [4, 4]), graph.input("b", [4, 4])));
    expect(error.message).toContain("4 dimensions cannot be whitened over a batch of 4");
    expect(error.fix).toContain("at least 5");
  });

  it("byol and simSiam: predictions and targets that differ", () => {
    for (const loss of [byol, simSiam]) {
      const error = refusal((graph) => {
        const [p, z] = [graph.input("p", [4, 3]), graph.input("z", [4, 5])];
        return loss(p, p, z, z);
      });
      expect(error.message).toContain("[4, 3] and [4, 3] and [4, 5] and [4, 5]");
    }
  });

  it("negatives that do not belong to the anchors", () => {
    const wrong = refusal((graph) => {
      const a = graph.input("a", [4, 3]);
      return infoNce(a, a, graph.input("n", [4, 2, 5]), { temperature: 1 });
    });
    expect(wrong.message).toMatch(/\[4, H, 3\]; given \[4, 3\] and \[4, 3\] and \[4, 2, 5\]/);
    const many = refusal((graph) => {
      const a = graph.input("a", [4, 3]);
      return simpleContrastive(a, a, graph.input("n", [4, 2, 3]));
    });
    expect(many.message).toContain("[4, 2, 3]");
  });

  it("exactCovariance: un-augmented embeddings of another batch", () => {
    const error = refusal((graph) => {
      const a = graph.input("a", [4, 3]);
      return exactCovariance(a, a, { unaugmented: graph.input("x", [5, 3]) });
    });
    expect(error.message).toContain("[5, 3]");
  });
});

describe("options", () => {
  const withViews = (build: TwoViews) => (graph: Graph) => build(graph.input("a", [4, 3]), graph.input("b", [4, 3]));
  const wrong: Record<string, readonly [build: TwoViews, message: RegExp]> = {
    "ntXent, τ = 0": [(a, b) => ntXent(a, b, { temperature: 0 }), /ntXent: temperature is 0, .* above 0/],
    "ntXent, τ = −1": [(a, b) => ntXent(a, b, { temperature: -1 }), /temperature is -1/],
    "ntXent, τ = NaN": [(a, b) => ntXent(a, b, { temperature: Number.NaN }), /temperature is NaN/],
    "ntXent, beta = −1": [(a, b) => ntXent(a, b, { beta: -1 }), /beta is -1, .* above -1/],
    crossViewInfoNce: [(a, b) => crossViewInfoNce(a, b, { temperature: 0 }), /temperature is 0/],
    exactCovariance: [(a, b) => exactCovariance(a, b, { temperature: 0 }), /temperature is 0/],
    infoNce: [(a, b) => infoNce(a, b, b, { temperature: 0 }), /temperature is 0/],
    "softTriplet, τ": [(a, b) => softTriplet(a, b, b, { temperature: 0 }), /temperature is 0/],
    "softTriplet, margin": [(a, b) => softTriplet(a, b, b, { temperature: 1, margin: -1 }), /margin is -1/],
    spectralContrastive: [(a, b) => spectralContrastive(a, b, { mu: 0 }), /mu is 0/],
    "barlowTwins, λ": [(a, b) => barlowTwins(a, b, { lambda: -1 }), /lambda is -1, .* at least 0/],
    "barlowTwins, scale": [(a, b) => barlowTwins(a, b, { scale: 0 }), /scale is 0/],
    "vicreg, ε": [(a, b) => vicreg(a, b, { epsilon: 0 }), /epsilon is 0/],
    "vicreg, weight": [(a, b) => vicreg(a, b, { covariance: -1 }), /covariance is -1/],
    "byol, ε": [(a, b) => byol(a, b, a, b, { epsilon: 0 }), /epsilon is 0/],
  };
  for (const [name, [build, message]] of Object.entries(wrong)) {
    it(name, () => {
      const error = refusal(withViews(build));
      expect(error.code).toBe("CONFIG-VALUE");
      expect(error.message).toMatch(message);
      expect(error.fix).not.toBe("");
    });
  }
});

describe("dispatches of views side by side, d = 10, forward and backward", () => {
  const budgets: Record<string, readonly [loss: TwoViews, forward: number, backward: number]> = {
    ntXent: [ntXent, 3, 3],
    crossViewInfoNce: [crossViewInfoNce, 3, 4],
    exactCovariance: [exactCovariance, 3, 3],
    spectralContrastive: [spectralContrastive, 3, 4],
    "barlowTwins, standardized": [barlowTwins, 3, 3],
    "barlowTwins, centered": [(a, b) => barlowTwins(a, b, { form: "centered" }), 3, 3],
    vicreg: [vicreg, 3, 2],
    byol: [(a, b) => byol(a, b, a, b), 2, 1],
    simSiam: [(a, b) => simSiam(a, b, a, b), 2, 1],
  };
  for (const [name, [loss, forward, backward]] of Object.entries(budgets)) {
    it(name, () => {
      const graph = new Graph();
      const z = graph.parameter("z", [32, 10]);
      const value = loss(slice(z, 0, 16), slice(z, 16, 32));
      const count = (roots: Tensor[]) =>
        planGraph({ graph, programs: { main: roots }, target: REGISTER_TARGET }).calls.length;
      expect(count([value])).toBe(forward);
      const [dZ] = grad(value, [z]);
      expect(count([value, dZ!])).toBe(forward + backward);
    });
  }
});
