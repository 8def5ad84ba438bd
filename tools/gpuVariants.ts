/**
 * The matrix products and convolutions that a discrete GPU may get, from the default table or with the register family asked for: those of
 * training steps of the models in src/nn, and of single products at the tables' edges.
 */
import { conv2d } from "../src/autodiff/conv.ts";
import { add, matmul, relu, sum } from "../src/autodiff/functions.ts";
import { grad } from "../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../src/autodiff/graph.ts";
import type { Plan } from "../src/autodiff/plan.ts";
import { planGraph } from "../src/autodiff/planner.ts";
import type { Target } from "../src/kernels/call.ts";
import type { Kernel } from "../src/kernels/kernel.ts";
import type { KnobValues } from "../src/kernels/specialize.ts";
import { resnet } from "../src/nn/resnet.ts";
import { type Model, ParameterScope } from "../src/nn/scope.ts";
import { smallResNet } from "../src/nn/smallNets.ts";
import { targetOf } from "../src/train/trainingStep.ts";

export interface NamedVariant {
  readonly kernel: Kernel;
  readonly knobs: KnobValues;
  /** What asked for it. */
  readonly plan: string;
  readonly isDefault: boolean;
}

/** Loss and gradients of all parameters, for images [batch, side, side, 4]. */
function trainingPlan(target: Target, model: Model, batch: number, side: number): Plan {
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  const loss = sum(model(scope, graph.input("images", [batch, side, side, 4])));
  const parameters = graph.leaves.filter(({ leaf }) => leaf?.role === "parameter");
  return planGraph({ graph, programs: { main: [loss, ...grad(loss, parameters)] }, target });
}

function plans(target: Target): Record<string, Plan> {
  const all: Record<string, Plan> = {
    "ResNet-18, CIFAR stem, 256 × 32²": trainingPlan(target, resnet({ depth: 18, stem: "cifar" }), 256, 32),
    "ResNet-18, CIFAR stem, 32 × 32²": trainingPlan(target, resnet({ depth: 18, stem: "cifar" }), 32, 32),
    "ResNet-18, width 1/4, 64 × 32²": trainingPlan(target, resnet({ depth: 18, stem: "cifar", width: 0.25 }), 64, 32),
    "ResNet-50, ImageNet stem, 32 × 96²": trainingPlan(target, resnet({ depth: 50, stem: "imagenet" }), 32, 96),
    "ResNet-50, ImageNet stem, 64 × 224²": trainingPlan(
      target,
      resnet({ depth: 50, stem: "imagenet", classes: 1000 }),
      64,
      224,
    ),
    "small residual net, 256 × 32²": trainingPlan(target, smallResNet({ width: 8, d: 10 }), 256, 32),
    "small residual net, 128 × 12²": trainingPlan(target, smallResNet({ width: 4, d: 8 }), 128, 12),
  };
  for (const [kernel, stride] of [
    [1, 2],
    [2, 2],
    [3, 1],
    [3, 2],
    [3, 3],
    [5, 1],
    [5, 2],
    [7, 1],
    [7, 2],
  ] as const) {
    for (const channels of [4, 16, 64])
      all[`${kernel} × ${kernel}, stride ${stride}, ${channels} channels`] = convolution(
        target,
        kernel,
        stride,
        channels,
      );
  }
  for (const [m, n, k] of [
    [32, 8, 10],
    [100, 10, 100],
    [512, 512, 512],
    [4096, 4096, 512],
    [63, 130, 33],
  ] as const) {
    all[`products of ${m} × ${n} × ${k}`] = products(target, m, n, k);
  }
  return all;
}

/** A convolution with its whole epilogue, and its cotangents. */
function convolution(target: Target, kernel: number, stride: number, channels: number): Plan {
  const graph = new Graph();
  const x = graph.input("x", [32, 28, 28, channels]);
  const filter = graph.parameter("filter", [kernel, kernel, channels, channels]);
  const plain = conv2d(x, filter, { stride, padding: Math.floor(kernel / 2) });
  const bias = graph.input("bias", [channels]);
  const y = relu(add(graph.input("addend", plain.shape), add(plain, bias)));
  return planGraph({ graph, programs: { main: [y, ...grad(sum(plain), [x, filter])] }, target });
}

/** Products NN, NT and TN with bias and ReLU. */
function products(target: Target, m: number, n: number, k: number): Plan {
  const graph = new Graph();
  const input = (name: string, shape: readonly number[]): Tensor => graph.input(name, shape);
  const bias = input("bias", [n]);
  const results = [
    matmul(input("a", [m, k]), input("b", [k, n])),
    matmul(input("c", [m, k]), input("d", [n, k]), { transposeB: true }),
    matmul(input("e", [k, m]), input("f", [k, n]), { transposeA: true }),
  ];
  return planGraph({ graph, programs: { main: [...results, ...results.map((y) => relu(add(y, bias)))] }, target });
}

export function variantsOfGpus(): NamedVariant[] {
  return [targetOf(false), targetOf(false, "register")].flatMap((target, index) =>
    Object.entries(plans(target)).flatMap(([plan, { calls }]) =>
      calls
        .filter(({ kernel }) => /^(?:matmul|conv)\//.test(kernel.name))
        .map(({ kernel, knobs }) => ({ kernel, knobs, plan, isDefault: index === 0 })),
    ),
  );
}
