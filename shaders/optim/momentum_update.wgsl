// momentum_update — stochastic gradient descent by segments: weight decay, momentum, Nesterov's or LARS's, in place over the flat buffer.
//
//   d = f.x·g + f.y·p,  f = factors[segment];  without MOMENTUM p ← p − f.z·d
//   v ← momentum·v + d;  p ← p − f.z·v;  NESTEROV: p ← p − f.z·(d + momentum·v)
//   RATE_INSIDE: v ← momentum·v + f.z·d;  p ← p − v
//
// Layout    parameters, velocity, gradients f32[count] as vec4, count a multiple of 64 · blocks u32[count/64]: the segment of each 64
//           elements · factors vec4[segments] of optimizer_factors
// Dispatch  ⌈count/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size · MOMENTUM · NESTEROV · RATE_INSIDE
// Error     given f: v within γ_5·(|momentum·v| + |f.x·g| + |f.y·p|) (times f.z with RATE_INSIDE), p one product and sum more
// Backward  not differentiated
// Oracle    test/oracle/optimisers.ts
// Source    Polyak 1964; Sutskever et al. 2013 (Nesterov's, in PyTorch's form); You et al. 2017 and google-research/simclr (rate inside)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const MOMENTUM: bool = false; //#knob
const NESTEROV: bool = false; //#knob
const RATE_INSIDE: bool = false; //#knob
struct Params { count: u32, momentum: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> velocity: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn momentum_update(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  if (quad >= params.count / 4u) {
    return;
  }
  let factor = factors[blocks[quad / 16u]];
  let p = parameters[quad];
  var direction = factor.x * gradients[quad] + factor.y * p;
  if (RATE_INSIDE) {
    direction = factor.z * direction;
  }
  if (MOMENTUM) {
    let v = params.momentum * velocity[quad] + direction;
    velocity[quad] = v;
    if (NESTEROV) {
      direction = direction + params.momentum * v;
    } else {
      direction = v;
    }
  }
  if (RATE_INSIDE) {
    parameters[quad] = p - direction;
  } else {
    parameters[quad] = p - factor.z * direction;
  }
}
