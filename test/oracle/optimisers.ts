/**
 * Float64 references of the optimisers, parameter by parameter, written from the reference implementations: torch.optim.SGD, Adam and
 * AdamW, the LARS classes of facebookresearch/barlowtwins, lightly, solo-learn and google-research/simclr, clip_grad_norm_.
 */

export interface Parameter {
  readonly value: Float64Array;
  /** Velocity, or first moment. */
  readonly first: Float64Array;
  readonly second: Float64Array;
  readonly weightDecay: number;
  /** Excluded from adaptation. */
  readonly isExcluded: boolean;
  readonly rateFactor: number;
  readonly fixedRate: number;
}

type Gradient = ArrayLike<number>;

export function norm(x: ArrayLike<number>): number {
  return Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
}

/** g·min(1, largest/(‖all g‖ + 1e-6)). */
export function clipped(gradients: readonly Gradient[], largest: number): Float64Array[] {
  const total = Math.sqrt(gradients.reduce((sum, gradient) => sum + norm(gradient) ** 2, 0));
  const factor = Math.min(1, largest / (total + 1e-6));
  return gradients.map((gradient) => Float64Array.from(gradient, (g) => factor * g));
}

function rateOf({ rateFactor, fixedRate }: Parameter, rate: number): number {
  return rateFactor * rate + fixedRate;
}

export function sgdStep(
  parameters: readonly Parameter[],
  gradients: readonly Gradient[],
  rate: number,
  { momentum, nesterov }: { momentum: number; nesterov: boolean },
): void {
  parameters.forEach((parameter, index) => {
    const { value, first, weightDecay } = parameter;
    value.forEach((p, i) => {
      const d = gradients[index]![i]! + weightDecay * p;
      first[i] = momentum * first[i]! + d;
      const direction = nesterov ? d + momentum * first[i]! : first[i]!;
      value[i] = p - rateOf(parameter, rate) * direction;
    });
  });
}

export function adamStep(
  parameters: readonly Parameter[],
  gradients: readonly Gradient[],
  rate: number,
  step: number,
  { beta1, beta2, epsilon, decoupled }: { beta1: number; beta2: number; epsilon: number; decoupled: boolean },
): void {
  const t = step + 1;
  parameters.forEach((parameter, index) => {
    const { value, first, second, weightDecay } = parameter;
    const lr = rateOf(parameter, rate);
    value.forEach((old, i) => {
      let p = old;
      let g = gradients[index]![i]!;
      if (decoupled) p -= lr * weightDecay * p;
      else g += weightDecay * p;
      first[i] = beta1 * first[i]! + (1 - beta1) * g;
      second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
      const denominator = Math.sqrt(second[i]!) / Math.sqrt(1 - beta2 ** t) + epsilon;
      value[i] = p - ((lr / (1 - beta1 ** t)) * first[i]!) / denominator;
    });
  });
}

export interface LarsSpec {
  readonly variant: "facebook" | "lightly" | "solo-learn" | "google";
  readonly momentum: number;
  readonly eta: number;
  readonly clipRate: boolean;
}

export function larsStep(
  parameters: readonly Parameter[],
  gradients: readonly Gradient[],
  rate: number,
  { variant, momentum, eta, clipRate }: LarsSpec,
): void {
  parameters.forEach((parameter, index) => {
    const { value, first, weightDecay, isExcluded } = parameter;
    const gradient = Float64Array.from(gradients[index]!);
    const lr = rateOf(parameter, rate);
    let d: Float64Array = gradient;
    if (variant === "facebook" || variant === "google") {
      d = gradient.map((g, i) => g + weightDecay * value[i]!);
      if (!isExcluded) {
        const [p, u] = [norm(value), norm(d)];
        const q = p > 0 && u > 0 ? (eta * p) / u : 1;
        d = d.map((x) => q * x);
      }
    } else if (variant === "solo-learn" ? !isExcluded : weightDecay !== 0) {
      const [p, g] = [norm(value), norm(gradient)];
      if (p !== 0 && g !== 0) {
        let q = (eta * p) / (g + p * weightDecay + 1e-8);
        if (clipRate) q = Math.min(q / lr, 1);
        d = gradient.map((x, i) => q * (x + weightDecay * value[i]!));
      }
    }
    value.forEach((p, i) => {
      if (variant === "google") {
        first[i] = momentum * first[i]! + lr * d[i]!;
        value[i] = p - first[i]!;
      } else {
        first[i] = momentum * first[i]! + d[i]!;
        value[i] = p - lr * first[i]!;
      }
    });
  });
}

export interface ScheduleSpec {
  readonly kind: "cosine" | "step";
  readonly peak: number;
  readonly warmupSteps: number;
  readonly warmupStart: number;
  readonly interval: number;
  readonly totalSteps: number;
  readonly end: number;
  readonly every: number;
  readonly gamma: number;
}

export function scheduledRate(step: number, s: ScheduleSpec): number {
  const at = step - (step % s.interval);
  if (at < s.warmupSteps) return s.warmupStart + ((s.peak - s.warmupStart) * at) / s.warmupSteps;
  const after = at - s.warmupSteps;
  if (s.kind === "step") return s.peak * s.gamma ** Math.floor(after / s.every);
  const q =
    0.5 * (1 + Math.cos((Math.PI * Math.min(after, s.totalSteps - s.warmupSteps)) / (s.totalSteps - s.warmupSteps)));
  return s.peak * q + s.end * (1 - q);
}
