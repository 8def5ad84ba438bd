/** The tree: the root on top, leaves at the bottom, every latent coloured by how much the best unit of its node knows of it. */
import { firstChildOf, nodesOfLevel, parentOf, type TreeShape } from "../../src/theory/index.ts";
import type { TreeFacts } from "./messages.ts";
import { shape } from "./svg.ts";

const WIDTH = 880;
const MARGIN = 26;
const LEVEL_HEIGHT = 74;
const MAX_RADIUS = 17;

/** From knowing nothing to knowing all: light to dark, one hue after another, in an order that survives greyscale. */
const STOPS: readonly (readonly [number, number, number])[] = [
  [240, 243, 248],
  [160, 214, 190],
  [49, 147, 142],
  [54, 92, 141],
  [72, 30, 112],
];

export function knowledgeColor(correlation: number): string {
  const at = Math.min(Math.max(correlation, 0), 1) * (STOPS.length - 1);
  const low = STOPS[Math.floor(at)] ?? [0, 0, 0];
  const high = STOPS[Math.min(Math.floor(at) + 1, STOPS.length - 1)] ?? low;
  const share = at - Math.floor(at);
  return `rgb(${low.map((value, i) => Math.round(value + share * ((high[i] ?? value) - value))).join(" ")})`;
}

export class TreeView {
  readonly #target: SVGSVGElement;
  readonly #tell: (text: string) => void;
  #circles: SVGElement[] = [];
  #facts: TreeFacts | undefined;
  #tree: TreeShape = { depth: 1, branching: 2 };
  #correlations: readonly number[] = [];
  #pointed: number | undefined;

  /** @param tell what is known of the node that is pointed at */
  constructor(target: SVGSVGElement, tell: (text: string) => void) {
    this.#target = target;
    this.#tell = tell;
  }

  /** Draws a tree anew; nodes have no colour until `colour`. */
  draw(tree: TreeShape, facts: TreeFacts): void {
    this.#tree = tree;
    this.#facts = facts;
    this.#correlations = [];
    this.#pointed = undefined;
    const { depth, branching } = tree;
    const height = depth * LEVEL_HEIGHT + 2 * MARGIN;
    const spacing = (WIDTH - 2 * MARGIN) / branching ** depth;
    const y = (level: number): number => MARGIN + (depth - level) * LEVEL_HEIGHT;
    const place = new Map<number, { readonly x: number; readonly level: number }>();
    for (let level = 0; level <= depth; level++) {
      const { first, count } = nodesOfLevel(tree, level);
      const each = (WIDTH - 2 * MARGIN) / count;
      for (let i = 0; i < count; i++) place.set(first + i, { x: MARGIN + (i + 0.5) * each, level });
    }
    const edges: SVGElement[] = [];
    const nodes: SVGElement[] = [];
    this.#circles = [];
    for (const [node, { x, level }] of place) {
      if (node > 0) {
        const above = place.get(parentOf(tree, node));
        const polarity = facts.polarities[node - 1] ?? 0;
        edges.push(
          shape("path", {
            class: polarity < 0 ? "edge negative" : "edge",
            d: `M${above?.x ?? 0} ${y(level + 1)}L${x} ${y(level)}`,
            "stroke-width": 0.6 + 3.4 * polarity ** 2,
          }),
        );
      }
      if (level === 0) {
        const side = Math.min(8, 0.6 * spacing);
        nodes.push(shape("rect", { class: "leaf", x: x - side / 2, y: y(0) - side / 2, width: side, height: side }));
        continue;
      }
      const radius = Math.min(MAX_RADIUS, 0.42 * spacing * branching ** level);
      const circle = shape("circle", { class: "latent", cx: x, cy: y(level), r: radius, "data-node": node });
      circle.addEventListener("pointerenter", () => this.#point(node));
      circle.addEventListener("pointerleave", () => this.#point(undefined));
      this.#circles[node] = circle;
      nodes.push(circle);
    }
    this.#target.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    this.#target.replaceChildren(...edges, ...nodes);
  }

  colour(correlations: readonly number[]): void {
    this.#correlations = correlations;
    this.#circles.forEach((circle, node) => {
      circle.setAttribute("fill", knowledgeColor(correlations[node] ?? 0));
    });
    if (this.#pointed !== undefined) this.#point(this.#pointed);
  }

  #point(node: number | undefined): void {
    this.#pointed = node;
    if (node === undefined) {
      this.#tell("Point at a latent to read what is known of it.");
      return;
    }
    const known = this.#correlations[node];
    const most = this.#facts?.ceiling[node];
    const polarity = node === 0 ? undefined : this.#facts?.polarities[node - 1];
    const children = firstChildOf(this.#tree, node);
    const below = Array.from(
      { length: this.#tree.branching },
      (_, k) => this.#facts?.polarities[children + k - 1] ?? 0,
    );
    this.#tell(
      [
        node === 0 ? "Root" : `Latent ${node}`,
        `best |correlation| ${known?.toFixed(3) ?? "–"} of at most ${most?.toFixed(3) ?? "–"}`,
        ...(polarity === undefined ? [] : [`ρ from its parent ${signed(polarity)}`]),
        `ρ to its children ${below.map(signed).join(", ")}`,
      ].join("; "),
    );
  }
}

function signed(value: number): string {
  return `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;
}
