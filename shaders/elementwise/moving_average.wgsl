// moving_average — y ← decay·y + (1 − decay)·x in place over a flat buffer: target networks, running averages.
//
//   SCHEDULE: 1 − decay = increment·(cos(π·min(step, steps)/steps) + 1)/2, so that the decay rises to 1; else 1 − decay = increment
//
// Layout    x, y f32[count] as vec4, count a multiple of 4; step from the step state
// Dispatch  ⌈count/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size; SCHEDULE
// Error     |y − exact| ≤ γ_4·(decay·|y| + |x|) per update   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/movingAverage.ts
// Source    Grill et al. 2020, Bootstrap your own latent, §3.3 and appendix (schedule of the target's decay)
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
//#include "lib/step_state.wgsl"
override WG: u32 = 64u;
const SCHEDULE: bool = false; //#knob
struct Params { count: u32, increment: f32, steps: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: StepState;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn moving_average(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  if (quad < params.count / 4u) {
    var increment = params.increment;
    if (SCHEDULE) {
      let done = f32(min(state.step, params.steps)) / f32(params.steps);
      increment = increment * (0.5 * cos_sin_turns(0.5 * done).x + 0.5);
    }
    y[quad] = (1.0 - increment) * y[quad] + increment * x[quad];
  }
}
