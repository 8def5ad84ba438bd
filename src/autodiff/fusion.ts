/**
 * Dead-node removal and the fusion table. Works on lists of nodes; a fused node produces the last tensor of the chain it replaces, so
 * that everything downstream keeps its operands.
 *
 *   | pattern                                  | becomes                     |
 *   |------------------------------------------|-----------------------------|
 *   | matmul(scale(x), y), matmul(x, scale(y)) | matmul with scale           |
 *   | scale(matmul)                            | matmul with scale           |
 *   | matmul + row                             | matmul with bias            |
 *   | matmul + tensor of its shape             | matmul with addend          |
 *   | relu(matmul)                             | matmul with ReLU            |
 *   | conv2d · row, + row, + tensor, its ReLU  | conv2d with that epilogue   |
 *   | conv2dDataGrad + tensor of its shape     | conv2dDataGrad with addend  |
 *   | scale, offset or ReLU of scale(x)        | one affine                  |
 *
 * A chain is fused only where its inner tensor has no other consumer (a scale before a matmul may have: it stays for them), and where no
 * state that its inner node reads is written in between. Scales are folded in f64 and rounded once.
 */
import { type AffineAttributes, affineOp, type BinaryAttributes, broadcastOf } from "../ops/elementwise.ts";
import { type MatmulAttributes, matmulOp } from "../ops/matmul.ts";
import { operand } from "../ops/opDefinition.ts";
import { addToDataGrad, binaryOfConv, reluOfConv } from "./convFusion.ts";
import type { Graph, Node, Tensor } from "./graph.ts";

/** Memory a tensor stands for: the base of a view, or itself. */
export function baseOf(tensor: Tensor): Tensor {
  return tensor.view?.base ?? tensor;
}

/** Nodes that `roots` (tensors wanted, or nodes with side effects) depend on, in graph order. */
export function liveNodes(graph: Graph, roots: readonly (Tensor | Node)[]): Node[] {
  const live = new Set<Node>();
  const visit = (node: Node | undefined): void => {
    if (!node || live.has(node)) return;
    live.add(node);
    for (const input of node.inputs) visit(baseOf(input).node);
  };
  for (const root of roots) visit("op" in root ? root : baseOf(root).node);
  return graph.nodes.filter((node) => live.has(node));
}

/** Applies the table until nothing changes. `kept` tensors are wanted by name and never fused away. */
export function fuse(nodes: readonly Node[], kept: ReadonlySet<Tensor>): Node[] {
  let current = [...nodes];
  for (;;) {
    const next = fuseOnce(current, kept);
    if (!next) return current;
    current = next;
  }
}

/** Applies the first match of the table and drops what it made dead; undefined when there is none. */
function fuseOnce(nodes: readonly Node[], kept: ReadonlySet<Tensor>): Node[] | undefined {
  const uses = new Map<Tensor, number>();
  const producer = new Map<Tensor, Node>();
  for (const node of nodes) {
    for (const input of node.inputs) uses.set(baseOf(input), (uses.get(baseOf(input)) ?? 0) + 1);
    for (const output of node.outputs) producer.set(output, node);
  }
  const context: FusionContext = {
    /** The producer of a whole tensor that nothing else reads. */
    soleProducer(tensor, opName) {
      const base = baseOf(tensor);
      const node = producer.get(base);
      const isWhole = base.elements === tensor.elements && base.shape.at(-1) === tensor.shape.at(-1);
      return node?.op.name === opName && isWhole && uses.get(base) === 1 && !kept.has(base) ? node : undefined;
    },
    producer: (tensor) => (tensor.view ? undefined : producer.get(tensor)),
  };
  for (const node of nodes) {
    const fusion = FUSIONS.map((match) => match(node, context)).find(
      (found) => found && canMove(nodes, found.inner, node),
    );
    if (!fusion) continue;
    const absorbed = fusion.isAbsorbed ? fusion.inner : undefined;
    return nodes.filter((other) => other !== absorbed).map((other) => (other === node ? fusion.result : other));
  }
  return undefined;
}

/** True when `inner` reads at the place of `outer` what it reads at its own: no node between them writes a buffer that it reads. */
function canMove(nodes: readonly Node[], inner: Node, outer: Node): boolean {
  const bufferOf = (tensor: Tensor): string | undefined => baseOf(tensor).leaf?.buffer;
  const read = new Set(inner.inputs.map(bufferOf).filter((buffer) => buffer !== undefined));
  const between = nodes.slice(nodes.indexOf(inner) + 1, nodes.indexOf(outer));
  return !between.some(({ op, inputs }) =>
    op.writes?.some((index) => read.has(bufferOf(operand(inputs, index)) ?? "")),
  );
}

export interface FusionContext {
  soleProducer(tensor: Tensor, opName: string): Node | undefined;
  producer(tensor: Tensor): Node | undefined;
}

export interface Fusion {
  readonly result: Node;
  /** The chain's inner node, whose work moves to the place of the outer one. */
  readonly inner: Node;
  /** It disappears; otherwise it stays for its other consumers. */
  readonly isAbsorbed: boolean;
}

type FusionRule = (node: Node, context: FusionContext) => Fusion | undefined;

const FUSIONS: readonly FusionRule[] = [
  scaleIntoOperand,
  affineOfMatmul,
  addToMatmul,
  scaleOfScale,
  reluOfConv,
  binaryOfConv,
  addToDataGrad,
];

function isPureScale(node: Node | undefined): node is Node {
  if (!node || node.op !== (affineOp as unknown)) return false;
  const { beta, relu } = node.attributes as AffineAttributes;
  return beta === 0 && !relu;
}

/** matmul(scale(x), y): the scale may have other consumers; it dies when it has none. */
function scaleIntoOperand(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op !== (matmulOp as unknown)) return undefined;
  const attributes = node.attributes as MatmulAttributes;
  for (const index of [0, 1]) {
    const scaled = context.producer(operand(node.inputs, index));
    if (!isPureScale(scaled)) continue;
    const { alpha } = scaled.attributes as AffineAttributes;
    const inputs = node.inputs.map((input, at) => (at === index ? operand(scaled.inputs, 0) : input));
    const isSole = context.soleProducer(operand(node.inputs, index), "affine") === scaled;
    return {
      result: { ...node, inputs, attributes: { ...attributes, scale: attributes.scale * alpha } },
      inner: scaled,
      isAbsorbed: isSole,
    };
  }
  return undefined;
}

function affineOfMatmul(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op !== (affineOp as unknown)) return undefined;
  const inner = context.soleProducer(operand(node.inputs, 0), "matmul");
  if (!inner) return undefined;
  const { alpha, beta, relu } = node.attributes as AffineAttributes;
  const attributes = inner.attributes as MatmulAttributes;
  if (beta !== 0 || attributes.relu) return undefined;
  const isLinear = !attributes.hasBias && !attributes.hasAddend;
  if (alpha !== 1 && !isLinear) return undefined;
  return {
    result: {
      ...inner,
      outputs: node.outputs,
      label: node.label,
      attributes: { ...attributes, scale: attributes.scale * alpha, relu },
    },
    inner,
    isAbsorbed: true,
  };
}

function addToMatmul(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op.name !== "binary") return undefined;
  const { kind, alpha, beta } = node.attributes as BinaryAttributes;
  if (kind !== "add") return undefined;
  const sides = [operand(node.inputs, 0), operand(node.inputs, 1)] as const;
  const broadcast = broadcastOf(...sides);
  // The later product takes the earlier one as its addend.
  const candidates = sides
    .map((side, index) => ({ index, inner: context.soleProducer(side, "matmul") }))
    .filter(({ index }) => index === 0 || broadcast === "none")
    .sort((a, b) => (b.inner?.id ?? -1) - (a.inner?.id ?? -1));
  for (const { index, inner } of candidates) {
    if (!inner) continue;
    const attributes = inner.attributes as MatmulAttributes;
    const [own, others] = index === 0 ? [alpha, beta] : [beta, alpha];
    const isLinear = !attributes.hasBias && !attributes.hasAddend;
    if (others !== 1 || attributes.relu || attributes.hasAddend || (own !== 1 && !isLinear)) continue;
    const other = operand(sides, 1 - index);
    const isBias = broadcast === "row" && !attributes.hasBias;
    if (!isBias && broadcast !== "none") continue;
    return {
      result: {
        ...inner,
        inputs: [...inner.inputs, other],
        outputs: node.outputs,
        label: node.label,
        attributes: {
          ...attributes,
          scale: attributes.scale * own,
          hasBias: attributes.hasBias || isBias,
          hasAddend: !isBias,
        },
      },
      inner,
      isAbsorbed: true,
    };
  }
  return undefined;
}

function scaleOfScale(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op !== (affineOp as unknown)) return undefined;
  const inner = context.soleProducer(operand(node.inputs, 0), "affine");
  if (!isPureScale(inner)) return undefined;
  const attributes = node.attributes as AffineAttributes;
  const { alpha } = inner.attributes as AffineAttributes;
  return {
    result: { ...node, inputs: inner.inputs, attributes: { ...attributes, alpha: attributes.alpha * alpha } },
    inner,
    isAbsorbed: true,
  };
}
