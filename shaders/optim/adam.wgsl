// adam — Adam, or with DECOUPLED weight decay AdamW, in place over the flat parameter buffer.
//
//   f = factors[segment];  g' = f.x·g;  DECOUPLED: p ← (1 − f.y)·p, otherwise g' ← g' + f.y·p
//   m ← beta1·m + (1 − beta1)·g';  v ← beta2·v + (1 − beta2)·g'²;  p ← p − f.z·m/(f.w·√v + epsilon)
//   f.z = rate/(1 − beta1^t), f.w = 1/√(1 − beta2^t)
//
// Layout    parameters, first, second, gradients f32[count] as vec4, count a multiple of 64 · blocks u32[count/64]: the segment of each
//           64 elements · factors vec4[segments] of optimizer_factors
// Dispatch  ⌈count/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size · DECOUPLED
// Error     given f: m within γ_6·(|beta1·m| + (1 − beta1)·(|f.x·g| + |f.y·p|)), v within γ_9 of its terms; the step relative 16u beside
//           the errors of m and v
// Backward  not differentiated
// Oracle    test/oracle/optimisers.ts
// Source    Kingma & Ba 2015, Algorithm 1; Loshchilov & Hutter 2019 (AdamW), in PyTorch's form
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const DECOUPLED: bool = true; //#knob
struct Params { count: u32, beta1: f32, complement1: f32, beta2: f32, complement2: f32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> blocks: array<u32>;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> first: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> second: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn adam(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  if (quad >= params.count / 4u) {
    return;
  }
  let factor = factors[blocks[quad / 16u]];
  var p = parameters[quad];
  var direction = factor.x * gradients[quad];
  if (DECOUPLED) {
    p = p - factor.y * p;
  } else {
    direction = direction + factor.y * p;
  }
  let m = params.beta1 * first[quad] + params.complement1 * direction;
  let v = params.beta2 * second[quad] + params.complement2 * direction * direction;
  first[quad] = m;
  second[quad] = v;
  parameters[quad] = p - factor.z * m / (factor.w * sqrt(v) + params.epsilon);
}
