// note_nonfinite — notes the first step that NaN or infinity in the training state belongs to. The loss alone does not tell: a ReLU may turn
// NaN into 0.
//
//   nonfinite_step ← min(nonfinite_step, step) when an average is NaN or ±∞: they are of the step's own activations
//   nonfinite_step ← min(nonfinite_step, step + 1) when a parameter is: the update has just made it
//
// Layout    parameters f32[parameter_count], averages f32[average_count], both as vec4, counts multiples of 4 · state: the four words of StepState
// Dispatch  ⌈(parameter_count + average_count)/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     exact
// Backward  not differentiated
// Oracle    test/oracle/train.ts
// Source    ours
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
override WG: u32 = 64u;
struct Params { parameter_count: u32, average_count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> averages: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;

// Words of StepState (lib/step_state.wgsl), which has no atomics.
const STEP: u32 = 0u;
const NONFINITE_STEP: u32 = 2u;

@compute @workgroup_size(WG)
fn note_nonfinite(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  let parameter_quads = params.parameter_count / 4u;
  if (quad >= parameter_quads + params.average_count / 4u) {
    return;
  }
  let is_parameter = quad < parameter_quads;
  var values: vec4<f32>;
  if (is_parameter) {
    values = parameters[quad];
  } else {
    values = averages[quad - parameter_quads];
  }
  if (!(is_finite(values.x) && is_finite(values.y) && is_finite(values.z) && is_finite(values.w))) {
    atomicMin(&state[NONFINITE_STEP], atomicLoad(&state[STEP]) + select(0u, 1u, is_parameter));
  }
}
