/** Float64 reference of shaders/optim: one update, new arrays returned. */

/** v ← momentum·v + g, p ← p − learningRate·v; without momentum (undefined) v = g and the given velocity is returned unchanged. */
export function sgd(
  state: { parameters: ArrayLike<number>; velocity: ArrayLike<number>; gradients: ArrayLike<number> },
  { learningRate, momentum }: { learningRate: number; momentum: number | undefined },
): { parameters: Float64Array; velocity: Float64Array } {
  const parameters = Float64Array.from(state.parameters);
  const velocity = Float64Array.from(state.velocity);
  for (let i = 0; i < parameters.length; i++) {
    let direction = state.gradients[i]!;
    if (momentum !== undefined) {
      direction += momentum * velocity[i]!;
      velocity[i] = direction;
    }
    parameters[i]! -= learningRate * direction;
  }
  return { parameters, velocity };
}
