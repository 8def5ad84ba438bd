/**
 * What a training step asks of WebGPU, counted independently of the engine: the prototypes of GPUDevice, GPUQueue and the encoders are
 * wrapped in the page before any of its scripts run, and the log is compared with the promises and with summary.json.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Message } from "../../src/cli/runner/protocol.ts";
import type { Task } from "../../src/cli/runner/task.ts";
import { browserFlagSets, thisSurroundings } from "../../src/cli/runtimes/browserFlags.ts";
import { openBrowser } from "../../src/cli/runtimes/browserSession.ts";
import { chooseBrowser, readSetupRecord } from "../../src/cli/runtimes/findBrowser.ts";
import { startJobServer } from "../../src/cli/runtimes/jobServer.ts";
import type { RunResult } from "../../src/experiments/contract.ts";
import { linearPresets } from "../../src/experiments/presets.ts";
import { dist } from "../cli/support.ts";

/** One call: its kind, and a number of bytes or dispatches where that says something. */
type Call = readonly [kind: string, amount: number];

/** Runs in the page. Only calls of the training submits and what lies between them matter; passes carry the label `training`. */
const WRAPPER = `
  globalThis.gpuCalls = [];
  const log = (kind, amount = 0) => globalThis.gpuCalls.push([kind, amount]);
  const wrap = (prototype, method, note) => {
    const original = prototype[method];
    prototype[method] = function (...args) {
      note.call(this, ...args);
      return original.apply(this, args);
    };
  };
  const created = ["createBuffer", "createTexture", "createBindGroup", "createBindGroupLayout", "createPipelineLayout",
    "createShaderModule", "createComputePipeline", "createComputePipelineAsync", "createQuerySet", "createSampler"];
  for (const method of created) wrap(GPUDevice.prototype, method, () => log("object"));
  wrap(GPUDevice.prototype, "createCommandEncoder", (options) => log("encoder:" + (options?.label ?? "")));
  wrap(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => log("dispatch"));
  wrap(GPUCommandEncoder.prototype, "copyBufferToBuffer", (...args) => log("copy", args.length === 5 ? args[4] : args[2]));
  wrap(GPUQueue.prototype, "submit", () => log("submit"));
  wrap(GPUQueue.prototype, "writeBuffer", () => log("write"));
`;

async function countedRun(
  config: Task & { kind: "train" },
): Promise<{ calls: Call[]; result: RunResult; records: number }> {
  const root = await dist();
  let records = 0;
  let resolve: (result: RunResult) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const finished = new Promise<RunResult>((onResult, onError) => {
    resolve = onResult;
    reject = onError;
  });
  const server = await startJobServer({
    pageRoot: join(root, "runner"),
    task: config,
    onTaskFetched: () => {},
    onFile: async () => {},
    onMessage: async (message: Message) => {
      if (message.type === "records") records += message.records.length;
      else if (message.type === "result") resolve(message.result as RunResult);
      else if (message.type === "error") reject(message.error);
    },
  });
  const choice = chooseBrowser(undefined, readSetupRecord(process.cwd()));
  const session = await openBrowser(choice, browserFlagSets(thisSurroundings()).at(-1)!);
  try {
    const page = await session.browser.newPage();
    await page.evaluateOnNewDocument(WRAPPER);
    await page.goto(server.url);
    const result = await finished;
    return { calls: (await page.evaluate("globalThis.gpuCalls")) as Call[], result, records };
  } finally {
    await session.close();
    await server.close();
  }
}

/** The calls from the end of the first training submit to the end of the last, and those submits' own. */
function steadyState(calls: readonly Call[]): { readonly warm: readonly Call[]; readonly training: readonly Call[] } {
  const isTraining = ([kind]: Call): boolean => kind === "encoder:training";
  const first = calls.findIndex(isTraining);
  const last = calls.findLastIndex(isTraining);
  const end = calls.findIndex(([kind], index) => index > last && kind === "submit");
  const firstEnd = calls.findIndex(([kind], index) => index > first && kind === "submit");
  return { warm: calls.slice(firstEnd + 1, end + 1), training: calls.slice(first, end + 1) };
}

const count = (calls: readonly Call[], kind: string): number => calls.filter(([name]) => name === kind).length;
const bytes = (calls: readonly Call[], kind: string): number =>
  calls.filter(([name]) => name === kind).reduce((total, [, amount]) => total + amount, 0);

beforeAll(async () => {
  await dist();
});

describe("in steady state, in Chrome", () => {
  for (const every of [1, 5]) {
    it(`no object, no writeBuffer, at most one submit a step, records of 4·(1 + d) bytes; a record every ${every}`, async () => {
      const base = linearPresets["linear-synthetic"]!;
      const steps = 150;
      const config = { ...base, steps, record: { every } };
      const { calls, result, records } = await countedRun({ kind: "train", config, save: [], hasData: false });
      const { warm, training } = steadyState(calls);
      const d = base.model.outputs;
      const recorded = Math.ceil(steps / every);
      expect(records).toBe(recorded + 1);
      expect(count(warm, "object")).toBe(0);
      expect(count(training, "write")).toBe(0);
      const submits = count(training, "submit");
      expect(submits).toBeLessThanOrEqual(steps);
      expect(count(training, "encoder:training")).toBe(submits);
      // The final record: forward, loss, spectrum and the ring, without an update.
      const { dispatchesPerStep, dispatchesPerStepWithoutSpectrum } = result.counters;
      const lastRecord = dispatchesPerStep - dispatchesPerStepWithoutSpectrum + 3;
      expect(count(training, "dispatch")).toBe(
        recorded * dispatchesPerStep + (steps - recorded) * dispatchesPerStepWithoutSpectrum + lastRecord,
      );
      expect(dispatchesPerStep).toBeLessThanOrEqual(14);
      expect(dispatchesPerStepWithoutSpectrum).toBeLessThanOrEqual(8);
      expect(bytes(training, "copy")).toBe(16 * submits + 4 * (1 + d) * (recorded + 1));
      expect(result.counters).toMatchObject({
        submits,
        gpuObjectsCreatedAfterWarmup: 0,
        writeBuffersAfterWarmup: 0,
        bytesReadBackPerStep: 4 * (1 + d),
        readBackHeaderBytes: 16,
      });
    });
  }
});
