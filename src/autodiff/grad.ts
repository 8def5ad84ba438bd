/** Reverse-mode differentiation: adds the backward graph of a scalar. */
import { add, constant, pack, requireScalar, reshape } from "./functions.ts";
import type { Graph, Node, Tensor } from "./graph.ts";
import { vjpRule } from "./vjp.ts";

/** A cotangent of a run of elements of a tensor; views contribute to runs of their base. */
interface Contribution {
  readonly offset: number;
  readonly value: Tensor;
}

/**
 * Derivatives of a scalar with respect to tensors.
 *
 * @param loss one element
 * @param wrt  parameters, inputs or intermediate tensors of the same graph
 * @param seed cotangent of `loss`, shape [1]; 1 unless given
 * @returns one tensor of the same shape for each of `wrt`; zeros where the loss does not depend on it
 * @throws EngineError GRAPH-NOT-SCALAR, GRAPH-NO-VJP
 */
export function grad(loss: Tensor, wrt: readonly Tensor[], seed?: Tensor): Tensor[] {
  requireScalar(loss, "grad");
  return vjp([loss], [seed ?? constant(loss.graph, loss.shape, 1)], wrt);
}

/** Pulls cotangents of any tensors back to `wrt`: the transpose of the Jacobian times the cotangents. */
export function vjp(outputs: readonly Tensor[], cotangents: readonly Tensor[], wrt: readonly Tensor[]): Tensor[] {
  const [first] = outputs;
  if (!first) return [];
  const { graph } = first;
  const forward = [...graph.nodes];
  const needed = influenced(forward, wrt);
  const collected = new Map<Tensor, Contribution[]>();
  const contribute = (target: Tensor, value: Tensor): void => {
    if (target.view?.isDetached) return;
    const base = target.view?.base ?? target;
    const list = collected.get(base) ?? [];
    list.push({ offset: target.view?.offset ?? 0, value });
    collected.set(base, list);
  };
  outputs.forEach((output, index) => {
    const cotangent = cotangents[index];
    if (cotangent) contribute(output, cotangent);
  });
  graph.scope("backward", () => {
    for (const node of forward.reverse()) {
      if (!node.outputs.some((output) => collected.has(output))) continue;
      const needs = node.inputs.map((input) => isReached(needed, input));
      if (!needs.some(Boolean)) continue;
      const outputCotangents = node.outputs.map((output) => total(graph, output, collected.get(output)));
      const inputCotangents = vjpRule(node)(node, outputCotangents, needs);
      node.inputs.forEach((input, index) => {
        const value = inputCotangents[index];
        if (value && needs[index]) contribute(input, value);
      });
    }
  });
  return wrt.map((target) => {
    const base = target.view?.base ?? target;
    const whole = total(graph, base, collected.get(base)) ?? constant(graph, base.shape, 0);
    return target.view ? graph.view(whole, target.shape, target.view.offset) : whole;
  });
}

/** Tensors (bases of views) through which `wrt` can influence something. */
function influenced(nodes: readonly Node[], wrt: readonly Tensor[]): Set<Tensor> {
  const set = new Set<Tensor>(wrt.map((tensor) => tensor.view?.base ?? tensor));
  for (const node of nodes) {
    if (node.inputs.some((input) => isReached(set, input))) for (const output of node.outputs) set.add(output);
  }
  return set;
}

/** True when derivatives are to flow to (the base of) an operand. */
function isReached(needed: ReadonlySet<Tensor>, input: Tensor): boolean {
  return !input.view?.isDetached && needed.has(input.view?.base ?? input);
}

/** Sum of the contributions to a tensor. Disjoint runs are laid side by side; overlapping ones are added. */
function total(graph: Graph, tensor: Tensor, contributions: readonly Contribution[] = []): Tensor | undefined {
  if (contributions.length === 0) return undefined;
  const whole = contributions.filter(({ value }) => value.elements === tensor.elements).map(({ value }) => value);
  // Runs in order of position, packed into as few layers as their overlaps allow.
  const layers: Contribution[][] = [];
  const runs = contributions.filter(({ value }) => value.elements !== tensor.elements);
  for (const run of [...runs].sort((a, b) => a.offset - b.offset)) {
    const layer = layers.find((parts) => {
      const last = parts.at(-1);
      return !last || last.offset + last.value.elements <= run.offset;
    });
    if (layer) layer.push(run);
    else layers.push([run]);
  }
  const terms = [
    ...whole.map((value) => reshape(value, tensor.shape)),
    ...layers.map((layer) => joined(graph, tensor, layer)),
  ];
  return terms.reduce((left, right) => add(left, right));
}

/** One layer of disjoint runs as a tensor of the full shape, zeros between them. */
function joined(graph: Graph, tensor: Tensor, layer: readonly Contribution[]): Tensor {
  const parts: Tensor[] = [];
  const offsets: number[] = [];
  let end = 0;
  const zerosUpTo = (position: number): void => {
    if (position === end) return;
    parts.push(constant(graph, [position - end], 0));
    offsets.push(end);
  };
  for (const { offset, value } of layer) {
    zerosUpTo(offset);
    parts.push(value);
    offsets.push(offset);
    end = offset + value.elements;
  }
  zerosUpTo(tensor.elements);
  return pack(graph, parts, offsets, tensor.shape);
}
