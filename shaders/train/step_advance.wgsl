// step_advance — ends an update: notes the first step whose loss is not finite and counts the step.
//
//   nonfinite_step ← min(nonfinite_step, step) when loss is NaN or ±∞;  step ← step + 1
//
// Layout    loss f32[1] · state StepState
// Dispatch  (1, 1, 1); one invocation
// Error     exact
// Backward  not differentiated
// Oracle    test/oracle/train.ts
// Source    ours: a replayed step must not need the host to write its counter
//#include "lib/math.wgsl"
//#include "lib/step_state.wgsl"
@group(0) @binding(0) var<storage, read> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> state: StepState;

@compute @workgroup_size(1)
fn step_advance() {
  if (!is_finite(loss[0])) {
    // What the update made of such a loss may be noted already, as the next step's.
    state.nonfinite_step = min(state.nonfinite_step, state.step);
  }
  state.step = state.step + 1u;
}
