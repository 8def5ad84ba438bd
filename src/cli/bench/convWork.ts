/** A convolution's product as our planner runs it: channels padded to a multiple of four, as the engine pads images. */
import { conv2d } from "../../autodiff/conv.ts";
import type { Graph, Tensor } from "../../autodiff/graph.ts";
import type { Engine } from "../../device/engine.ts";
import { conv2dDataGradOp, conv2dWeightGradOp } from "../../ops/conv.ts";
import { operand } from "../../ops/opDefinition.ts";
import type { ConvWork, PreparedWork } from "./peerContract.ts";
import { preparePlan } from "./planWork.ts";

export async function prepareConv(engine: Engine, work: ConvWork): Promise<PreparedWork> {
  const { product, batch, side, outSide, kernel, stride, padding, inChannels, outChannels } = work;
  const padded = Math.ceil(inChannels / 4) * 4;
  const shapes = {
    x: [batch, side, side, padded],
    filter: [kernel, kernel, padded, outChannels],
    dY: [batch, outSide, outSide, outChannels],
  };
  const placement = { stride: [stride, stride], padding: [padding, padding] } as const;
  const build = (graph: Graph): Tensor => {
    const input = (name: keyof typeof shapes) => graph.input(name, shapes[name]);
    if (product === "forward") return conv2d(input("x"), input("filter"), placement);
    if (product === "dataGrad") {
      const attributes = { ...placement, input: [side, side] } as const;
      return operand(graph.add(conv2dDataGradOp, [input("dY"), input("filter")], attributes), 0);
    }
    const attributes = { ...placement, kernel: [kernel, kernel] } as const;
    return operand(graph.add(conv2dWeightGradOp, [input("x"), input("dY")], attributes), 0);
  };
  // Runs of numbers of which the padding follows each: a pixel's channels, a tap's input channels by output channels.
  const [pixel, tap] = [inChannels, inChannels * outChannels];
  const [paddedPixel, paddedTap] = [padded, padded * outChannels];
  const operands = {
    x: () => resizeRuns(work.x, pixel, paddedPixel),
    filter: () => resizeRuns(work.filter, tap, paddedTap),
    dY: () => work.dY,
  };
  const used = { forward: ["x", "filter"], dataGrad: ["dY", "filter"], weightGrad: ["x", "dY"] } as const;
  const inputs = Object.fromEntries(used[product].map((name) => [name, operands[name]()]));
  const prepared = await preparePlan(engine, build, inputs);
  return {
    ...prepared,
    async result() {
      const result = await prepared.result();
      if (product === "dataGrad") return resizeRuns(result, paddedPixel, pixel);
      return product === "weightGrad" ? resizeRuns(result, paddedTap, tap) : result;
    },
  };
}

/** Runs of `from` numbers, each cut or filled with zeros to `to`. */
function resizeRuns(values: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return values;
  const runs = values.length / from;
  const resized = new Float32Array(runs * to);
  for (let run = 0; run < runs; run++) {
    resized.set(values.subarray(run * from, run * from + Math.min(from, to)), run * to);
  }
  return resized;
}
