/** The optimiser a configuration names, and the clock its steps run by. */
import { EngineError } from "../../errors.ts";
import type { OptimizerConfig as Optimizer } from "../../optim/optimizer.ts";
import { rateAt, type Schedule } from "../../optim/schedule.ts";
import type { NetworkConfig } from "./config.ts";

/** Exclusions as the methods' references have them: LARS leaves biases and normalisation alone by itself. */
export function optimizerOf(config: NetworkConfig): Optimizer {
  const { optimizer } = config;
  const { weightDecay, groups } = optimizer;
  const common = { weightDecay, groups, schedule: scheduleOf(config) };
  switch (optimizer.kind) {
    case "sgd": {
      const { momentum, nesterov, clipNorm } = optimizer;
      return { kind: "sgd", ...common, momentum, nesterov, ...(clipNorm > 0 ? { clipNorm } : {}) };
    }
    case "adam":
    case "adamw": {
      const { kind, beta1, beta2, epsilon, clipNorm } = optimizer;
      return { kind, ...common, beta1, beta2, epsilon, ...(clipNorm > 0 ? { clipNorm } : {}) };
    }
    case "lars": {
      const { variant, momentum, eta, clipRate } = optimizer;
      return { kind: "lars", ...common, variant, momentum, eta, clipRate };
    }
  }
}

function scheduleOf({ optimizer: { schedule, learningRate }, steps }: NetworkConfig): Schedule {
  switch (schedule.kind) {
    case "constant":
      return { kind: "constant" };
    case "cosine": {
      const { warmupSteps, warmupStart, end } = schedule;
      if (warmupSteps >= steps) throw warmupTooLong(warmupSteps, steps);
      return { kind: "cosine", peak: learningRate, warmupSteps, warmupStart, totalSteps: steps, end };
    }
    case "step": {
      const { warmupSteps, warmupStart, every, gamma } = schedule;
      return { kind: "step", peak: learningRate, warmupSteps, warmupStart, every, gamma };
    }
  }
}

function warmupTooLong(warmupSteps: number, steps: number): EngineError {
  return new EngineError({
    code: "CONFIG-OPTIMIZER",
    message: `optimizer.schedule.warmupSteps is ${warmupSteps}, but the run has only ${steps} steps`,
    fix: `Use --set optimizer.schedule.warmupSteps=${Math.floor(steps / 10)}, or more steps.`,
    where: "optimizer.schedule.warmupSteps",
  });
}

/** t after so many updates: the sum of their learning rates, divided by 1 − momentum where there is momentum. */
export function clockOf(config: NetworkConfig): (step: number) => number {
  const { optimizer } = config;
  const schedule = scheduleOf(config);
  const factor = "momentum" in optimizer ? 1 / (1 - optimizer.momentum) : 1;
  if (schedule.kind === "constant") return (step) => step * optimizer.learningRate * factor;
  const sums = new Float64Array(config.steps + 1);
  for (let step = 0; step < config.steps; step++) sums[step + 1] = (sums[step] ?? 0) + rateAt(schedule, step);
  return (step) => (sums[step] ?? Number.NaN) * factor;
}
