/**
 * A static graph of tensors: built by plain functions, then differentiated, planned and replayed. Holds shapes only; no GPU object.
 */
import { EngineError, isEngineError } from "../errors.ts";
import { type DType, elementCount, type OpDefinition, shapeText, type TensorSpec } from "../ops/opDefinition.ts";

/** Where a tensor without producer lives: a persistent buffer of the plan, by name. */
export interface Leaf {
  /** `input`: filled by the caller. `parameter`: a segment of the flat parameter buffer. `state`: written by ops in place. */
  readonly role: "input" | "parameter" | "state";
  readonly buffer: string;
  /** Elements from the buffer's start. */
  readonly offset: number;
}

/** A window into another tensor's memory: same bytes, another shape or a run of leading entries. */
export interface View {
  readonly base: Tensor;
  /** Elements from the base's start. */
  readonly offset: number;
  /** Nothing flows back to the base through this view or views of it. */
  readonly isDetached?: boolean;
}

export interface Node {
  readonly id: number;
  readonly op: OpDefinition;
  readonly attributes: unknown;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Path of scopes and op, e.g. `loss/frobeniusIdentity`, in plans and GPU labels. */
  readonly label: string;
}

export class Tensor implements TensorSpec {
  readonly graph: Graph;
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly name: string;
  readonly origin: Leaf | View | { readonly node: Node; readonly output: number };

  constructor(graph: Graph, id: number, spec: TensorSpec, name: string, origin: Tensor["origin"]) {
    this.graph = graph;
    this.id = id;
    this.shape = spec.shape;
    this.dtype = spec.dtype;
    this.name = name;
    this.origin = origin;
  }

  get elements(): number {
    return elementCount(this.shape);
  }

  get node(): Node | undefined {
    return "node" in this.origin ? this.origin.node : undefined;
  }

  get view(): View | undefined {
    return "base" in this.origin ? this.origin : undefined;
  }

  get leaf(): Leaf | undefined {
    return "role" in this.origin ? this.origin : undefined;
  }

  toString(): string {
    return `${this.name}${shapeText(this.shape)}`;
  }
}

/** Segments of flat buffers start at multiples of this many elements (256 bytes), so that each can be bound alone. */
export const SEGMENT_ALIGNMENT = 64;

/** A named part of the flat parameter buffer. */
export interface Segment {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly elements: number;
}

/** The flat parameter buffer. */
const PARAMETERS = "parameters";

/** True for names of a plan's own buffers, under which no leaf and no output may live. */
export function isReservedName(name: string): boolean {
  return [PARAMETERS, "uniforms", "unused"].includes(name) || name.startsWith("slot:");
}

/** @throws EngineError GRAPH-SHAPE unless every extent is a positive integer */
function requireExtents(where: string, shape: readonly number[]): void {
  if (shape.every((extent) => Number.isInteger(extent) && extent >= 1)) return;
  throw new EngineError({
    code: "GRAPH-SHAPE",
    message: `${where}: shape ${shapeText(shape)} has an extent that is not a positive integer`,
    fix: "Give every dimension at least one entry.",
    where,
  });
}

/** What `infer` returns; a shape error inside scopes also names the layer and those that its operands come from. */
function inferred<T>(node: Node, infer: () => T): T {
  try {
    return infer();
  } catch (error) {
    if (!isEngineError(error) || error.code !== "GRAPH-SHAPE" || !node.label.includes("/")) throw error;
    const origins = node.inputs.map((input) => `${(input.view?.base ?? input).node?.label ?? input.name}`);
    const { code, message, fix, detail } = error;
    throw new EngineError({
      code,
      message: `${message}; in ${node.label}, of ${origins.join(" and ")}`,
      fix,
      where: node.label,
      ...(detail ? { detail } : {}),
      cause: error,
    });
  }
}

export class Graph {
  readonly nodes: Node[] = [];
  readonly leaves: Tensor[] = [];
  readonly segments: Segment[] = [];
  #tensors = 0;
  #parameterElements = 0;
  readonly #scopes: string[] = [];
  readonly #names = new Set<string>();

  /** Elements of the flat parameter buffer, padding included. */
  get parameterElements(): number {
    return this.#parameterElements;
  }

  /** A persistent tensor that the caller fills. */
  input(name: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    return this.#leaf(name, { shape, dtype }, { role: "input", buffer: name, offset: 0 });
  }

  /** A persistent tensor that ops may write in place. */
  state(name: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    return this.#leaf(name, { shape, dtype }, { role: "state", buffer: name, offset: 0 });
  }

  /** A trainable tensor: a segment of the buffer `parameters`. */
  parameter(name: string, shape: readonly number[]): Tensor {
    const offset = this.#parameterElements;
    const tensor = this.#leaf(name, { shape, dtype: "f32" }, { role: "parameter", buffer: PARAMETERS, offset });
    const { elements } = tensor;
    this.#parameterElements = offset + Math.ceil(elements / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;
    this.segments.push({ name, shape, offset, elements });
    return tensor;
  }

  /** The whole flat parameter buffer, as what an optimiser writes; all parameters must have been made before. */
  allParameters(): Tensor {
    const existing = this.leaves.find((leaf) => leaf.name === PARAMETERS);
    const spec: TensorSpec = { shape: [this.#parameterElements], dtype: "f32" };
    return existing ?? this.#leaf(PARAMETERS, spec, { role: "state", buffer: PARAMETERS, offset: 0 }, true);
  }

  /** Adds a node; shapes are checked here. @throws EngineError GRAPH-FOREIGN-TENSOR, GRAPH-SHAPE and others of the op's `infer` */
  add<A>(op: OpDefinition<A>, inputs: readonly Tensor[], attributes: A, name: string = op.name): readonly Tensor[] {
    const foreign = inputs.find((input) => input.graph !== this);
    if (foreign) {
      throw new EngineError({
        code: "GRAPH-FOREIGN-TENSOR",
        message: `${op.name}: ${foreign} belongs to another graph`,
        fix: "Build a model's tensors in one graph.",
        where: op.name,
      });
    }
    const outputs: Tensor[] = [];
    const node: Node = {
      id: this.nodes.length,
      op: op as OpDefinition,
      attributes,
      inputs,
      outputs,
      label: [...this.#scopes, name].join("/"),
    };
    inferred(node, () => op.infer(inputs, attributes)).forEach((spec, output) => {
      requireExtents(node.label, spec.shape);
      outputs.push(
        new Tensor(this, this.#tensors++, spec, output === 0 ? name : `${name}.${output}`, { node, output }),
      );
    });
    this.nodes.push(node);
    return outputs;
  }

  /** The same memory under another shape, from an element offset on; detached, derivatives stop at it. */
  view(base: Tensor, shape: readonly number[], offset: number, isDetached = false): Tensor {
    requireExtents(`view of ${base}`, shape);
    if (!Number.isInteger(offset) || offset < 0 || offset + elementCount(shape) > base.elements) {
      throw new EngineError({
        code: "GRAPH-SHAPE",
        message: `view: ${shapeText(shape)} from element ${offset} does not fit ${base}`,
        fix: "Keep the view inside its base.",
        where: base.name,
      });
    }
    const root = base.view;
    const origin: View = {
      base: root?.base ?? base,
      offset: (root?.offset ?? 0) + offset,
      isDetached: isDetached || (root?.isDetached ?? false),
    };
    return new Tensor(this, this.#tensors++, { shape, dtype: base.dtype }, base.name, origin);
  }

  /** Labels nodes added inside with a path, e.g. `encoder/`. */
  scope<T>(name: string, build: () => T): T {
    this.#scopes.push(name);
    try {
      return build();
    } finally {
      this.#scopes.pop();
    }
  }

  #leaf(name: string, spec: TensorSpec, leaf: Leaf, isReserved = false): Tensor {
    if (!isReserved && isReservedName(name)) {
      throw new EngineError({
        code: "GRAPH-NAME",
        message: `${name} is the name of one of a plan's own buffers`,
        fix: "Choose another name.",
        where: name,
      });
    }
    if (this.#names.has(name)) {
      throw new EngineError({
        code: "GRAPH-NAME",
        message: `The graph already has a tensor called ${name}`,
        fix: "Give every input, parameter and state its own name.",
        where: name,
      });
    }
    requireExtents(name, spec.shape);
    this.#names.add(name);
    const tensor = new Tensor(this, this.#tensors++, spec, name, leaf);
    this.leaves.push(tensor);
    return tensor;
  }
}
