// sgd — stochastic gradient descent with heavy-ball momentum over the flat parameter buffer, in place.
//
//   v ← momentum·v + g          (MOMENTUM; otherwise v = g and is not stored)
//   p ← p − learning_rate·v
//
// Layout    parameters, velocity, gradients f32[count] as vec4, count a multiple of 4; learning_rate from the step state
// Dispatch  ⌈count/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     |p − exact| ≤ γ_2·(|p| + |learning_rate·v|) per step, v within γ_2·(|momentum·v| + |g|)
// Backward  not differentiated
// Oracle    test/oracle/optim.ts
// Source    Polyak 1964; the learning rate outside the buffer, as in PyTorch
//#include "lib/index.wgsl"
//#include "lib/step_state.wgsl"
override WG: u32 = 64u;
const MOMENTUM: bool = false; //#knob
struct Params { count: u32, momentum: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: StepState;
@group(0) @binding(2) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> velocity: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn sgd(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  if (quad < params.count / 4u) {
    var direction = gradients[quad];
    if (MOMENTUM) {
      direction = params.momentum * velocity[quad] + direction;
      velocity[quad] = direction;
    }
    parameters[quad] = parameters[quad] - state.learning_rate * direction;
  }
}
