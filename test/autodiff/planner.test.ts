import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import {
  add,
  affine,
  concat,
  constant,
  matmul,
  pack,
  relu,
  slice,
  sum,
  sumOverColumns,
} from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { assignSlots } from "../../src/autodiff/liveness.ts";
import type { Storage } from "../../src/autodiff/placement.ts";
import { kernelVariants, type Placement, type Plan, planBuffers, planTotals } from "../../src/autodiff/plan.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { linearGraph, VIEWS } from "../../src/experiments/linear/graph.ts";
import { foldGrid } from "../../src/kernels/grid.ts";
import { randomOp } from "../../src/ops/random.ts";
import { metricsRecordOp, sgdOp } from "../../src/ops/update.ts";
import { encodeStepState } from "../../src/train/stepState.ts";
import { dispatchCounts, planTrainingStep } from "../../src/train/trainingStep.ts";
import { DeviceWatch } from "../device/watchDevice.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";
import { randomGraph, steps } from "./randomGraph.ts";

const engine = useEngine({ unrollsLoops: false });
const target = REGISTER_TARGET;
const LINEAR = { n: 6, m: 7, d: 3 };

const planOf = (graph: Graph, outputs: Readonly<Record<string, Tensor>>): Plan =>
  planGraph({ graph, programs: { main: Object.values(outputs) }, outputs, target });
const bits = (x: Float32Array): number[] => [...new Uint32Array(x.buffer, x.byteOffset, x.length)];

/** Bindings of a call that are memory, with what the kernel does to them. */
function bindingsOf({ bindings, kernel }: Plan["calls"][number]) {
  return Object.entries(bindings).flatMap(([name, placement]) =>
    placement === "unused" ? [] : [{ ...placement, name, isWritten: kernel.shader.bindings[name]?.type === "storage" }],
  );
}

/** What must hold of every plan. */
function assertSound(plan: Plan): void {
  const sizes = new Map<string, number>([
    ...plan.slots.map(({ sizeBytes }, index) => [`slot:${index}`, sizeBytes] as const),
    ...plan.persistent.map(({ name, sizeBytes }) => [name, sizeBytes] as const),
  ]);
  for (const call of plan.calls) {
    const bindings = bindingsOf(call);
    for (const { memory, offsetBytes, sizeBytes, isWritten, name } of bindings) {
      expect(offsetBytes % 256).toBe(0);
      expect(sizeBytes % 16).toBe(0);
      expect(offsetBytes + sizeBytes).toBeLessThanOrEqual(sizes.get(memory) ?? 0);
      // WebGPU refuses a buffer that is read and written, or written twice, in one dispatch.
      const others = bindings.filter((other) => other.name !== name && other.memory === memory);
      if (isWritten) expect(others, `${call.node}: ${name}`).toEqual([]);
    }
    expect(call.programs.length).toBeGreaterThan(0);
    expect(Math.max(...call.grid)).toBeLessThanOrEqual(65_535);
  }
  for (const sizeBytes of sizes.values()) expect(sizeBytes % 256).toBe(0);
}

describe("a plan", () => {
  const linear = () => planTrainingStep(linearGraph(LINEAR, 0.9), target);
  const asJson = (plan: Plan): string =>
    JSON.stringify(plan, (key, value) => (key === "kernel" ? (value as { readonly name: string }).name : value));

  it("is the same for the same graph and target, and is data", () => {
    expect(asJson(linear())).toBe(asJson(linear()));
    const restored = JSON.parse(asJson(linear())) as Plan;
    expect(restored).toEqual({
      ...linear(),
      calls: linear().calls.map((call) => ({ ...call, kernel: call.kernel.name })),
    });
  });

  it("depends on the target where kernels do", () => {
    const gpu = planTrainingStep(linearGraph({ n: 64, m: 64, d: 32 }, 0), {
      isSoftware: false,
      matmulFamily: "workgroup",
    });
    expect(gpu.calls.map(({ kernel }) => kernel.name)).toContain("matmul/matmul_workgroup");
    const variants = Object.values(kernelVariants(gpu));
    expect(variants).toHaveLength(gpu.calls.length);
    expect(variants[0]).toMatchObject({ kernel: "matmul/matmul_workgroup", knobs: { TRANSPOSE_B: true, RELU: false } });
  });

  it("has no dispatch for what nobody wants", () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 4]);
    const y = affine(x, 2, 1);
    matmul(y, graph.input("unused weights", [4, 4]));
    relu(y);
    const plan = planOf(graph, { y });
    expect(plan.calls.map(({ op }) => op)).toEqual(["affine"]);
    // Nor a buffer for a leaf that is not read.
    expect(plan.persistent.map(({ name, role }) => [name, role])).toEqual([
      ["x", "input"],
      ["y", "output"],
    ]);
    expect(plan.slots).toEqual([]);
  });

  it("binds every parameter at a multiple of 256 bytes of one buffer, which is whole even where one segment is read", () => {
    const graph = new Graph();
    const [first, second, third] = [
      graph.parameter("a", [3]),
      graph.parameter("b", [5, 20]),
      graph.parameter("c", [1]),
    ];
    const plan = planOf(graph, { s: sum(second) });
    expect(plan.persistent.find(({ name }) => name === "parameters")).toEqual({
      name: "parameters",
      sizeBytes: 4 * (64 + 128 + 64),
      role: "parameter",
    });
    expect(plan.calls[0]?.bindings.x).toEqual({ memory: "parameters", offsetBytes: 256, sizeBytes: 400 });
    const all = planOf(graph, { t: add(sum(first), third) });
    expect(bindingsOf(all.calls[0]!).find(({ name }) => name === "x")?.offsetBytes).toBe(0);
  });

  it("totals add up, for all dispatches and for those of some programs", () => {
    const plan = linear();
    const all = planTotals(plan);
    const of = (pick: (call: Plan["calls"][number]) => number) =>
      plan.calls.reduce((total, call) => total + pick(call), 0);
    expect(all).toEqual({
      dispatches: plan.calls.length,
      flops: of(({ flops }) => flops),
      bytesRead: of(({ bytesRead }) => bytesRead),
      bytesWritten: of(({ bytesWritten }) => bytesWritten),
      slots: plan.slots.length,
      slotBytes: plan.slots.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
      persistentBytes: plan.persistent.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
      peakBytes: planBuffers(plan).reduce((total, { sizeBytes }) => total + sizeBytes, 0),
    });
    expect(dispatchCounts(plan).withRecord).toBe(planTotals(plan, ["update", "record"]).dispatches);
    expect(planTotals(plan, ["update"]).dispatches + planTotals(plan, ["record"]).dispatches).toBeGreaterThan(
      all.dispatches,
    );
    expect(planTotals(plan, ["nothing"]).dispatches).toBe(0);
    // The encoder: 2·(2n)·m·d floating-point operations on (2n·m + d·m) numbers read and 2n·d written.
    const { n, m, d } = LINEAR;
    expect(plan.calls[0]).toMatchObject({
      op: "matmul",
      flops: 2 * 2 * n * m * d,
      bytesRead: 4 * (2 * n * m + d * m),
      bytesWritten: 4 * 2 * n * d,
    });
  });

  it("peak bytes are the sum of the buffers that a compiled plan keeps alive", async () => {
    const plan = linear();
    const watch = new DeviceWatch(engine().device);
    const compiled = await CompiledPlan.compile(engine(), plan);
    watch.stop();
    const live = [...watch.live].map(({ size }) => size);
    expect(live.reduce((total, size) => total + size, 0)).toBe(planTotals(plan).peakBytes);
    expect(live.sort()).toEqual(
      planBuffers(plan)
        .map(({ sizeBytes }) => sizeBytes)
        .sort(),
    );
    compiled.destroy();
  });
});

describe("programs", () => {
  it("contain exactly the dispatches they need: training step", () => {
    const plan = planTrainingStep(linearGraph(LINEAR, 0), target);
    const opsOf = (...programs: string[]) =>
      plan.calls.filter((call) => programs.some((name) => call.programs.includes(name))).map(({ op }) => op);
    const forward = ["matmul", "crossCorrelation", "frobeniusIdentity"];
    expect(opsOf("record")).toEqual([...forward, "eigh", "metricsRecord"]);
    expect(opsOf("update").slice(0, 3)).toEqual(forward);
    expect(opsOf("update").slice(-2)).toEqual(["sgd", "stepAdvance"]);
    expect(opsOf("update")).not.toContain("eigh");
    expect(opsOf("update")).not.toContain("metricsRecord");
    // Together, recording comes before the parameters move.
    const both = opsOf("update", "record");
    expect(both).toHaveLength(plan.calls.length);
    expect(both.indexOf("metricsRecord")).toBeLessThan(both.indexOf("sgd"));
  });

  it("of a random graph are closed: each computes what it needs, alone, and nothing that it does not", async () => {
    const random = new TestRandom(50);
    const feeds = { x: random.normals(64, 0.3), w: random.normals(64, 0.3) };
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), fc.nat(), async (recipe, i, j) => {
        const { graph, tensors } = randomGraph(recipe);
        fc.pre(tensors.length > 1);
        const [one, two] = [tensors[i % tensors.length]!, tensors[j % tensors.length]!];
        fc.pre(one !== two);
        const plan = planGraph({ graph, programs: { one: [one], two: [two] }, outputs: { one, two }, target });
        for (const [program, wanted] of Object.entries({ one, two })) {
          // Every dispatch but the last writes memory that a later one of the same program reads.
          const calls = plan.calls.filter(({ programs }) => programs.includes(program));
          calls.forEach((call, at) => {
            const written = bindingsOf(call).flatMap(({ isWritten, memory }) => (isWritten ? [memory] : []));
            const isRead = calls
              .slice(at + 1)
              .some((later) => bindingsOf(later).some(({ memory }) => written.includes(memory)));
            expect(isRead || written.includes(program), call.node).toBe(true);
          });
          const compiled = await CompiledPlan.compile(engine(), plan);
          for (const { name, role } of plan.persistent) {
            if (role === "input") compiled.write(name, feeds[name as "x" | "w"]);
          }
          compiled.run(program);
          const alone = new Float32Array(await engine().readBuffer(compiled.buffer(program)));
          compiled.destroy();
          const { y } = await evaluate(engine(), graph, feeds, { y: wanted });
          expect(bits(alone)).toEqual(bits(y));
        }
      }),
      { numRuns: 10, seed: 1 },
    );
  });
});

describe("slots", () => {
  /** Dispatches that touch some of a few storages. */
  const uses = fc
    .record({
      sizes: fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 12 }),
      touched: fc.array(fc.array(fc.nat(99), { maxLength: 4 }), { maxLength: 20 }),
    })
    .map(({ sizes, touched }) => {
      const storages = sizes.map(
        (elements, index): Storage => ({ name: `s${index}`, persistent: undefined, elements }),
      );
      return touched.map((dispatch) => dispatch.map((index) => storages[index % storages.length]!));
    });

  it("are never shared by storages whose lifetimes overlap, hold every storage, and cost at most their sum", () => {
    fc.assert(
      fc.property(uses, (dispatches) => {
        const { slotOf, slots } = assignSlots(dispatches);
        const storages = [...new Set(dispatches.flat())];
        const life = new Map(
          storages.map((storage) => {
            const at = dispatches.flatMap((touched, index) => (touched.includes(storage) ? [index] : []));
            return [storage, [at[0]!, at.at(-1)!] as const];
          }),
        );
        for (const one of storages) {
          const slot = slotOf.get(one)!;
          expect(slots[slot]!.sizeBytes).toBeGreaterThanOrEqual(4 * one.elements);
          expect(slots[slot]!.tensors).toContain(one.name);
          for (const two of storages) {
            if (one === two || slotOf.get(two) !== slot) continue;
            const [[a, b], [c, d]] = [life.get(one)!, life.get(two)!];
            expect(b < c || d < a, `${one.name} ${a}…${b}, ${two.name} ${c}…${d}`).toBe(true);
          }
        }
        expect(slotOf.size).toBe(storages.length);
        const rounded = (elements: number) => 256 * Math.ceil(elements / 64);
        expect(slots.reduce((total, { sizeBytes }) => total + sizeBytes, 0)).toBeLessThanOrEqual(
          storages.reduce((total, { elements }) => total + rounded(elements), 0),
        );
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it("are reused along a chain: two suffice, whatever its length", () => {
    const graph = new Graph();
    let y = graph.input("x", [8, 8]);
    for (let i = 0; i < 10; i++) y = affine(y, 2, 1);
    expect(planOf(graph, { y }).slots.map(({ sizeBytes }) => sizeBytes)).toEqual([256, 256]);
  });

  it("of random graphs: sound plans", () => {
    fc.assert(
      fc.property(steps, fc.nat(), (recipe, wanted) => {
        const { graph, tensors } = randomGraph(recipe);
        fc.pre(tensors.length > 0);
        assertSound(planOf(graph, { y: tensors[wanted % tensors.length]! }));
        assertSound(planOf(graph, Object.fromEntries(tensors.map((tensor, index) => [`y${index}`, tensor]))));
      }),
      { numRuns: 100, seed: 3 },
    );
    assertSound(planTrainingStep(linearGraph(LINEAR, 0), target));
    assertSound(planTrainingStep(linearGraph(LINEAR, 0.9), { isSoftware: false, matmulFamily: "workgroup" }));
  });

  it("change no bit: the last tensor alone, in shared slots, equals it with every tensor kept", async () => {
    const random = new TestRandom(51);
    const feeds = { x: random.normals(64, 0.3), w: random.normals(64, 0.3) };
    await fc.assert(
      fc.asyncProperty(steps, async (recipe) => {
        const { graph, tensors } = randomGraph(recipe);
        fc.pre(tensors.length > 1);
        const y = tensors.at(-1)!;
        const alone = await evaluate(engine(), graph, feeds, { y });
        const kept = Object.fromEntries(tensors.map((tensor, index) => [`kept ${index}`, tensor]));
        const all = await evaluate(engine(), graph, feeds, kept);
        expect(bits(alone.y)).toEqual(bits(all[`kept ${tensors.length - 1}`]!));
      }),
      { numRuns: 15, seed: 4 },
    );
  });
});

describe("what a slot held before or holds in parts that nobody reads", () => {
  /**
   * Byte ranges of slots that a call reads and writes. A copy binds the whole it writes a part of, and tells which by its parameters;
   * other writes are understated by the padding of their binding and what lies before `y_offset`.
   */
  function rangesOf(call: Plan["calls"][number]) {
    return bindingsOf(call)
      .filter(({ memory }) => memory.startsWith("slot:"))
      .map(({ memory, offsetBytes, sizeBytes, isWritten, name }) => {
        if (!isWritten) return { memory, isWritten, start: offsetBytes, end: offsetBytes + sizeBytes };
        const start = offsetBytes + (name === "y" ? 4 * (call.params.y_offset ?? 0) : 0);
        const isCopy = call.kernel.name.endsWith("copy_range");
        return {
          memory,
          isWritten,
          start,
          end: isCopy ? start + 4 * call.params.count! : offsetBytes + sizeBytes - 12,
        };
      });
  }

  /** For each slot, which 4-byte words are read after call `index` before they are written again. */
  function liveAfter(calls: Plan["calls"], index: number, slot: string, words: number): boolean[] {
    const live = new Array<boolean>(words).fill(false);
    // Backwards: a read makes a word live before it, a write makes it dead. Within a call, reads come first.
    for (let at = calls.length - 1; at > index; at--) {
      const ranges = rangesOf(calls[at]!).filter(({ memory }) => memory === slot);
      for (const { isWritten, start, end } of ranges) if (isWritten) live.fill(false, start / 4, end / 4);
      for (const { isWritten, start, end } of ranges) if (!isWritten) live.fill(true, start / 4, end / 4);
    }
    return live;
  }

  /** A signalling-free NaN with a payload that no computation makes. */
  const POISON = 0x7fc0_dead;

  /** Runs a program dispatch by dispatch; with `poisoned`, all of every slot before the first and what is dead after each is NaN. */
  async function runSlowly(
    plan: Plan,
    program: string,
    feed: (compiled: CompiledPlan) => void,
    read: readonly string[],
    poisoned: boolean,
  ): Promise<number[][]> {
    const { device } = engine();
    const watch = new DeviceWatch(device);
    const compiled = await CompiledPlan.compile(engine(), plan);
    watch.stop();
    try {
      feed(compiled);
      const calls = plan.calls.filter(({ programs }) => programs.includes(program));
      const commands = compiled.program(program);
      expect(commands).toHaveLength(calls.length);
      let fills = 0;
      const poison = (index: number) => {
        plan.slots.forEach(({ sizeBytes }, slot) => {
          const live = index < 0 ? [] : liveAfter(calls, index, `slot:${slot}`, sizeBytes / 4);
          for (let word = 0; word < sizeBytes / 4; word++) {
            if (live[word]) continue;
            let end = word;
            while (end < sizeBytes / 4 && !live[end]) end++;
            device.queue.writeBuffer(
              watch.buffers.get(`slot:${slot}`)!,
              4 * word,
              new Uint32Array(end - word).fill(POISON),
            );
            fills += 1;
            word = end;
          }
        });
      };
      if (poisoned) poison(-1);
      for (let index = 0; index < commands.length; index++) {
        const encoder = device.createCommandEncoder({ label: "one dispatch" });
        const pass = encoder.beginComputePass({ label: "one dispatch" });
        compiled.encode(pass, [commands[index]!]);
        pass.end();
        device.queue.submit([encoder.finish()]);
        if (poisoned) poison(index);
      }
      if (poisoned && plan.slots.length > 0) expect(fills).toBeGreaterThan(plan.slots.length);
      const results: number[][] = [];
      for (const name of read) results.push([...new Uint32Array(await engine().readBuffer(compiled.buffer(name)))]);
      return results;
    } finally {
      compiled.destroy();
    }
  }

  it("does not reach the results of random graphs", async () => {
    const random = new TestRandom(52);
    const feeds = { x: random.normals(64, 0.3), w: random.normals(64, 0.3) };
    await fc.assert(
      fc.asyncProperty(steps, async (recipe) => {
        const { graph, tensors } = randomGraph(recipe);
        fc.pre(tensors.length > 3);
        const plan = planOf(graph, { y: tensors.at(-1)! });
        const feed = (compiled: CompiledPlan) => {
          for (const { name } of plan.persistent.filter(({ role }) => role === "input")) {
            compiled.write(name, feeds[name as "x" | "w"]);
          }
        };
        expect(await runSlowly(plan, "main", feed, ["y"], true)).toEqual(
          await runSlowly(plan, "main", feed, ["y"], false),
        );
      }),
      { numRuns: 12, seed: 5 },
    );
  });

  it("does not reach a training step: parameters, gradients, records", async () => {
    const random = new TestRandom(53);
    const plan = planTrainingStep(linearGraph(LINEAR, 0.9), target);
    const [views, weights] = [random.normals(2 * 6 * 7), random.normals(21, 0.3)];
    const feed = (compiled: CompiledPlan) => {
      compiled.write(VIEWS, views);
      compiled.write("parameters", weights);
      compiled.write(
        "stepState",
        encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0.1 }),
      );
    };
    const read = ["parameters", "velocity", "gradients", "metricsRing", "stepState"];
    for (const program of ["update", "record"]) {
      const [dirty, clean] = [
        await runSlowly(plan, program, feed, read, true),
        await runSlowly(plan, program, feed, read, false),
      ];
      expect(dirty).toEqual(clean);
    }
  });
});

describe("refused plans", () => {
  const codeOf = (make: () => unknown): string => {
    try {
      make();
    } catch (error) {
      return `${(error as { code?: string }).code}: ${(error as Error).message}`;
    }
    return "accepted";
  };
  const scalarState = (graph: Graph) => graph.state("stepState", [4], "u32");

  it("GRAPH-ALIAS: one state read and written, or written twice, in a dispatch", () => {
    const graph = new Graph();
    const [loss, state] = [graph.input("loss", [1]), scalarState(graph)];
    const ring = graph.state("ring", [8, 2]);
    graph.add(metricsRecordOp, [loss, slice(ring, 0, 1), ring, state], {});
    expect(codeOf(() => planGraph({ graph, programs: { main: graph.nodes }, target }))).toMatch(
      /^GRAPH-ALIAS: metricsRecord: spectrum and ring of train\/metrics_record share ring/,
    );
    const other = new Graph();
    other.parameter("w", [4, 16]);
    const all = other.allParameters();
    other.add(sgdOp, [scalarState(other), other.input("gradients", [64]), all, all], { momentum: 0.5 });
    expect(codeOf(() => planGraph({ graph: other, programs: { main: other.nodes }, target }))).toContain(
      "GRAPH-ALIAS: sgd: parameters and velocity",
    );
    // Two reads of one buffer are no alias.
    const third = new Graph();
    const x = third.input("x", [4, 4]);
    expect(codeOf(() => planOf(third, { y: add(x, x) }))).toBe("accepted");
  });

  it("GRAPH-OUTPUT: a leaf, a view of part of a tensor, one tensor under two names", () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 4]);
    const y = affine(x, 2, 1);
    for (const outputs of [{ a: x }, { a: slice(y, 0, 2) }, { a: y, b: y }]) {
      expect(codeOf(() => planOf(graph, outputs))).toMatch(
        /^GRAPH-OUTPUT: Output [ab] must be a whole computed tensor/,
      );
    }
  });

  it("GRAPH-OUTPUT: a tensor that no program computes", () => {
    const graph = new Graph();
    const y = affine(graph.input("x", [4, 4]), 2, 1);
    const plan = () => planGraph({ graph, programs: { main: [] }, outputs: { y }, target: REGISTER_TARGET });
    expect(codeOf(plan)).toMatch(/^GRAPH-OUTPUT: Output y \(affine\[4, 4\]\) is computed by none/);
  });

  it("GRAPH-NAME: an output called like a leaf or like the plan's own buffers", () => {
    const graph = new Graph();
    graph.parameter("w", [2]);
    const y = affine(graph.input("x", [4, 4]), 2, 1);
    for (const name of ["x", "parameters", "uniforms", "unused", "slot:0"]) {
      expect(codeOf(() => planOf(graph, { [name]: y }))).toMatch(/^GRAPH-NAME/);
    }
  });

  it("LIMIT-GRID: more workgroups than a dimension holds", () => {
    const graph = new Graph();
    const product = matmul(graph.input("a", [65_536, 1, 1]), graph.input("b", [65_536, 1, 1]));
    expect(codeOf(() => planOf(graph, { product }))).toMatch(/^LIMIT-GRID: matmul: .*65536.* a dimension holds 65535/);
    const fits = new Graph();
    const y = matmul(fits.input("a", [65_535, 1, 1]), fits.input("b", [65_535, 1, 1]));
    expect(codeOf(() => planOf(fits, { y }))).toBe("accepted");
    expect(codeOf(() => foldGrid(65_535 ** 2 + 1))).toMatch(/^LIMIT-GRID/);
    expect(foldGrid(65_536)).toEqual([32_768, 2, 1]);
  });
});

describe("concatenations in place", () => {
  const copies = (plan: Plan) => plan.calls.filter(({ kernel }) => kernel.name.endsWith("copy_range")).length;

  it("take the parts' outputs directly, at their offsets", () => {
    const graph = new Graph();
    const x = graph.input("x", [8, 8]);
    const plan = planOf(graph, { y: concat([affine(x, 2, 1), relu(x)]) });
    expect(copies(plan)).toBe(0);
    expect(plan.calls.map(({ bindings }) => (bindings.y as Placement).offsetBytes)).toEqual([0, 256]);
    expect(plan.calls.map(({ bindings }) => (bindings.y as Placement).memory)).toEqual(["y", "y"]);
    expect(plan.slots).toEqual([]);
  });

  it("not when a part's producer reads another part", () => {
    const graph = new Graph();
    const first = affine(graph.input("x", [8, 8]), 2, 1);
    const plan = planOf(graph, { y: concat([first, matmul(first, first)]) });
    expect(copies(plan)).toBe(1);
    assertSound(plan);
  });

  it("hold all gradients: shared, zero and intermediate ones too", () => {
    const graph = new Graph();
    const [a, b, c] = [graph.parameter("a", [3, 3]), graph.parameter("b", [3, 3]), graph.parameter("c", [5])];
    const loss = sum(relu(add(a, b)));
    const gradients = pack(graph, grad(loss, [a, b, c]), [0, 64, 128], [192]);
    const plan = planOf(graph, { gradients });
    assertSound(plan);
    expect(plan.persistent.find(({ name }) => name === "gradients")?.sizeBytes).toBe(768);
  });

  it("not for leaves, whose memory is theirs", () => {
    const graph = new Graph();
    const x = graph.input("x", [8, 8]);
    expect(copies(planOf(graph, { y: concat([x, x, affine(x, 2, 1)]) }))).toBe(2);
  });
});

describe("compiled plans", () => {
  it("take the caller's buffers, do not destroy them, and refuse those that are too small: GRAPH-EXTERNAL-SIZE", async () => {
    const graph = new Graph();
    const plan = planOf(graph, { y: affine(graph.input("x", [8, 10]), 2, 1) });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const [small, x] = await engine().createBuffers([
      { label: "small", sizeBytes: 256, usage },
      { label: "theirs", sizeBytes: 512, usage },
    ]);
    const before = engine().memory.buffers;
    await expect(CompiledPlan.compile(engine(), plan, { x: small! })).rejects.toMatchObject({
      code: "GRAPH-EXTERNAL-SIZE",
      message: "The buffer given for x has 256 bytes; the plan needs 512",
    });
    expect(engine().memory.buffers).toBe(before);
    const compiled = await CompiledPlan.compile(engine(), plan, { x: x! });
    engine().write(x!, 0, new Float32Array(80).fill(3));
    compiled.run("main");
    expect([...new Float32Array(await engine().readBuffer(compiled.buffer("y"), 0, 320))]).toEqual(
      new Array(80).fill(7),
    );
    expect(() => compiled.buffer("z")).toThrow(expect.objectContaining({ code: "GRAPH-NO-BUFFER" }));
    compiled.destroy();
    compiled.destroy();
    expect(engine().memory.buffers).toBe(before);
    engine().destroyBuffers([small!, x!]);
  });

  it("leave no buffer behind when a kernel does not compile or a buffer is too large", async () => {
    const graph = new Graph();
    const plan = planOf(graph, { y: affine(graph.input("x", [8, 8]), 2, 1) });
    const broken: Plan = { ...plan, calls: plan.calls.map((call) => ({ ...call, knobs: { WG: 100_000 } })) };
    await expect(CompiledPlan.compile(engine(), broken)).rejects.toMatchObject({ code: "KERNEL-COMPILE" });
    const huge: Plan = { ...plan, slots: [{ sizeBytes: 2 ** 50, tensors: [] }] };
    await expect(CompiledPlan.compile(engine(), huge)).rejects.toMatchObject({ code: "LIMIT-BUFFER", where: "slot:0" });
    expect(engine().memory.buffers).toBe(0);
  });

  it("refuse a binding larger than the device binds: LIMIT-BINDING, naming the tensor and both numbers", async () => {
    const graph = new Graph();
    const plan = planOf(graph, { y: affine(graph.input("x", [8, 8]), 2, 1) });
    const most = engine().adapter.limits.maxStorageBufferBindingSize;
    const x = { memory: "x", offsetBytes: 0, sizeBytes: most + 16 };
    const wide: Plan = { ...plan, calls: plan.calls.map((call) => ({ ...call, bindings: { ...call.bindings, x } })) };
    await expect(CompiledPlan.compile(engine(), wide)).rejects.toMatchObject({
      code: "LIMIT-BINDING",
      detail: { sizeBytes: most + 16, maxStorageBufferBindingSize: most },
    });
    expect(engine().memory.buffers).toBe(0);
  });

  it("pack equal uniforms once, at multiples of 256 bytes", async () => {
    const graph = new Graph();
    const x = graph.input("x", [8, 8]);
    const plan = planOf(graph, { a: affine(x, 2, 1), b: affine(relu(x), 2, 1), c: affine(x, 3, 1) });
    const watch = new DeviceWatch(engine().device);
    const compiled = await CompiledPlan.compile(engine(), plan);
    watch.stop();
    // Four dispatches, of which two have the same parameters.
    expect(plan.calls).toHaveLength(4);
    expect(watch.buffers.get("uniforms")?.size).toBe(3 * 256);
    compiled.destroy();
  });

  it("keep storages of nodes with equal labels apart", async () => {
    const graph = new Graph();
    const random = graph.add(
      randomOp,
      [],
      { shape: [4, 4], distribution: "uniform", scale: 0, offset: 2, seed: 1, stream: 1 },
      "same",
    )[0]!;
    const both = graph.scope("same", () => add(constant(graph, [4, 4], 1), random));
    const { y } = await evaluate(engine(), graph, {}, { y: sumOverColumns(both) });
    expect([...y]).toEqual([12, 12, 12, 12]);
  });
});
