/** The contrastive losses of the theory on tuples of a batch, through src/ssl, with the weights β that the operator is made of. */
import { matmul, reshape } from "../autodiff/functions.ts";
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { stopGradient } from "../autodiff/ssl.ts";
import { operand } from "../ops/opDefinition.ts";
import { infoNce, simpleContrastive, softTriplet } from "../ssl/index.ts";
import { type Convention, requireTuples, selection, type Tuples, type TupleTensors } from "./pairMatrix.ts";

/** A loss of half squared distances r between embeddings, with its own numbers. */
export interface ContrastiveLoss {
  readonly kind: "simple" | "triplet" | "infoNce";
  /** τ > 0; not used by the simple loss. */
  readonly temperature: number;
  /** r₀ of the triplet loss, at least 0. */
  readonly margin: number;
  /** The family L + beta·r₊. */
  readonly beta: number;
}

/** Tuples as inputs of a graph: what to write into the plan's buffers, once. */
export interface TupleInputs {
  readonly tensors: TupleTensors & {
    /** Picks ∂L/∂r_k, with its sign turned, from the slopes (∂L/∂r₊, ∂L/∂r_1 …), [1 + H, H]. */
    readonly negativeColumns: Tensor;
  };
  readonly data: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

/**
 * Declares the one-hot rows of tuples as graph inputs named `name`…. The simple and the triplet loss know one negative: of H they take the
 * mean, as tuples of their own.
 *
 * @param samples N
 * @throws EngineError DUAL-TUPLES, DUAL-NEGATIVES
 */
export function tupleInputs(
  graph: Graph,
  name: string,
  tuples: Tuples,
  kind: ContrastiveLoss["kind"],
  samples: number,
): TupleInputs {
  requireTuples(tuples, samples);
  const { anchors, positives, negatives } = kind === "infoNce" ? tuples : singly(tuples);
  const count = negatives[0]?.length ?? 1;
  const repeated = anchors.flatMap((anchor) => new Array<number>(count).fill(anchor));
  const picked = { anchors, positives, negatives: negatives.flat(), repeatedAnchors: repeated };
  const rows = (part: keyof typeof picked) => graph.input(`${name}.${part}`, [picked[part].length, samples]);
  const columns = `${name}.negativeColumns`;
  return {
    tensors: {
      anchors: rows("anchors"),
      positives: rows("positives"),
      negatives: rows("negatives"),
      repeatedAnchors: rows("repeatedAnchors"),
      negativeColumns: graph.input(columns, [1 + count, count]),
    },
    data: {
      ...Object.fromEntries(
        Object.entries(picked).map(([part, indices]) => [`${name}.${part}`, selection(indices, samples)]),
      ),
      [columns]: Float32Array.from({ length: (1 + count) * count }, (_, at) =>
        Math.floor(at / count) === 1 + (at % count) ? -1 : 0,
      ),
    },
  };
}

/** Every negative in a tuple of its own. */
function singly({ anchors, positives, negatives }: Tuples): Tuples {
  const each = <T>(values: readonly T[]) => values.flatMap((value, i) => (negatives[i] ?? []).map(() => value));
  return { anchors: each(anchors), positives: each(positives), negatives: negatives.flat().map((index) => [index]) };
}

export interface TupleLoss {
  /** Mean over tuples, [1]. */
  readonly loss: Tensor;
  /** β_k = −∂L/∂r_k of every tuple, [rows, H]; constants to the derivative. */
  readonly weights: Tensor;
}

/**
 * @param embeddings [N, n_L]
 * @param convention one tower: positives and negatives are constants, so that derivatives are of the anchor's tower alone
 * @throws EngineError CONFIG-VALUE for numbers of the loss out of range
 */
export function tupleLoss(
  embeddings: Tensor,
  { tensors }: TupleInputs,
  loss: ContrastiveLoss,
  convention: Convention = "both towers",
): TupleLoss {
  const { kind, temperature, margin, beta } = loss;
  const [rows = 1] = tensors.anchors.shape;
  const count = (tensors.negatives.shape[0] ?? 1) / rows;
  const others = convention === "both towers" ? embeddings : stopGradient(embeddings);
  const [anchor, positive] = [matmul(tensors.anchors, embeddings), matmul(tensors.positives, others)];
  const negatives = matmul(tensors.negatives, others);
  const value =
    kind === "simple"
      ? simpleContrastive(anchor, positive, negatives, { beta })
      : kind === "triplet"
        ? softTriplet(anchor, positive, negatives, { temperature, margin, beta })
        : infoNce(anchor, positive, reshape(negatives, [rows, count, embeddings.shape[1] ?? 1]), {
            temperature,
            beta,
          });
  const slopes = stopGradient(operand(value.node?.outputs ?? [], 1));
  return { loss: value, weights: matmul(slopes, tensors.negativeColumns) };
}
