// conv2d_split_sum — adds the partial filter cotangents of all splits, in their order.
//
//   y[i] = Σ_s partial[s, i]
//
// Layout    partial f32[splits, count] · y f32[count]; count = 4·quads
// Dispatch  ⌈quads/WG⌉, folded; one vec4 an invocation
// Knobs     WG
// Error     |y − exact| ≤ γ_{splits−1}·Σ|partial|   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  none of its own: second stage of the weight gradients
// Oracle    test/oracle/conv.ts
// Source    recursive summation (Higham 2002, §4.2)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { quads: u32, splits: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn conv2d_split_sum(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  if (at >= params.quads) {
    return;
  }
  var sum = partial[at];
  for (var split = 1u; split < params.splits; split++) {
    sum += partial[split * params.quads + at];
  }
  y[at] = sum;
}
