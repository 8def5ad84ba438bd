/** What optimisers know of the segments of the flat parameter buffer: rates, decay, exclusions; as tables for the GPU. */
import { SEGMENT_ALIGNMENT, type Segment } from "../autodiff/graph.ts";
import { optimizerError } from "./optimizerError.ts";

/** Parameters left out of weight decay and of LARS's adaptation. */
export interface Exclusions {
  /** Those of at most one dimension: biases and the affine parameters of normalisation. */
  readonly vectors?: boolean;
  /** Those whose name contains one of these. */
  readonly names?: readonly string[];
}

/** Parameters with a rate or decay of their own. */
export interface ParameterGroup {
  /** Those whose name contains one of these; the first group that fits counts. */
  readonly names: readonly string[];
  /** Multiplies the scheduled rate; 1 unless given. */
  readonly rateFactor?: number;
  /** Added to it: with `rateFactor` 0 the rate itself, which no schedule changes (SimSiam's fixed predictor rate). 0 unless given. */
  readonly fixedRate?: number;
  /** In place of the optimiser's weight decay. */
  readonly weightDecay?: number;
}

/** One segment's numbers. Twin of OptimizerSegment in shaders/lib/optimizer_segment.wgsl. */
export interface SegmentOptions {
  readonly rateFactor: number;
  readonly fixedRate: number;
  readonly weightDecay: number;
  /** LARS scales it. */
  readonly adapts: boolean;
}

/** Elements that one workgroup of segment_norms sums. */
export const CHUNK_ELEMENTS = 4096;
const SEGMENT_WORDS = 8;
const CHUNK_WORDS = 4;

/**
 * @throws EngineError CONFIG-OPTIMIZER for a group that fits no parameter, or a rate or decay that is negative or not finite
 */
export function segmentOptions(
  segments: readonly Segment[],
  weightDecay: number,
  exclude: Exclusions,
  groups: readonly ParameterGroup[],
): SegmentOptions[] {
  requireRate("weightDecay", weightDecay);
  const fits = (names: readonly string[], { name }: Segment) => names.some((part) => name.includes(part));
  for (const { names, rateFactor = 1, fixedRate = 0, weightDecay: decay = 0 } of groups) {
    requireRate("rateFactor", rateFactor);
    requireRate("fixedRate", fixedRate);
    requireRate("weightDecay", decay);
    if (segments.some((segment) => fits(names, segment))) continue;
    throw optimizerError(
      "groups",
      `no parameter's name contains ${names.map((name) => `"${name}"`).join(" or ")}; the first are ${segments
        .slice(0, 4)
        .map(({ name }) => name)
        .join(", ")}`,
      "Correct the group's names.",
    );
  }
  return segments.map((segment) => {
    const group = groups.find(({ names }) => fits(names, segment));
    const isExcluded = (exclude.vectors === true && segment.shape.length <= 1) || fits(exclude.names ?? [], segment);
    return {
      rateFactor: group?.rateFactor ?? 1,
      fixedRate: group?.fixedRate ?? 0,
      weightDecay: isExcluded ? 0 : (group?.weightDecay ?? weightDecay),
      adapts: !isExcluded,
    };
  });
}

function requireRate(name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw optimizerError(name, `${name} is ${value}`, "Give a number of at least 0.");
}

export interface SegmentTables {
  /** u32[segments, 8]: OptimizerSegment. */
  readonly segments: Uint32Array<ArrayBuffer>;
  /** u32[parameterElements/64]: the segment of each 64 elements. */
  readonly blocks: Uint32Array<ArrayBuffer>;
  /** u32[chunks, 4]: first element, elements, segment, 0. */
  readonly chunks: Uint32Array<ArrayBuffer>;
}

/** The tables of the optimiser's kernels. @param parameterElements elements of the flat buffer, gaps included */
export function segmentTables(
  segments: readonly Segment[],
  options: readonly SegmentOptions[],
  parameterElements: number,
): SegmentTables {
  const blocks = new Uint32Array(parameterElements / SEGMENT_ALIGNMENT);
  const chunks: number[] = [];
  const view = new DataView(new ArrayBuffer(4 * SEGMENT_WORDS * segments.length));
  segments.forEach(({ offset, elements }, index) => {
    blocks.fill(index, offset / SEGMENT_ALIGNMENT, Math.ceil((offset + elements) / SEGMENT_ALIGNMENT));
    const firstChunk = chunks.length / CHUNK_WORDS;
    for (let start = 0; start < elements; start += CHUNK_ELEMENTS) {
      chunks.push(offset + start, Math.min(CHUNK_ELEMENTS, elements - start), index, 0);
    }
    const { rateFactor = 1, fixedRate = 0, weightDecay = 0, adapts = true } = options[index] ?? {};
    const at = 4 * SEGMENT_WORDS * index;
    [rateFactor, fixedRate, weightDecay].forEach((value, field) => {
      view.setFloat32(at + 4 * field, value, true);
    });
    [adapts ? 1 : 0, firstChunk, chunks.length / CHUNK_WORDS - firstChunk].forEach((value, field) => {
      view.setUint32(at + 4 * (3 + field), value, true);
    });
  });
  return { segments: new Uint32Array(view.buffer), blocks, chunks: Uint32Array.from(chunks) };
}
