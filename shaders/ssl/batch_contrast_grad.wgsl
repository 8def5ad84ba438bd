// batch_contrast_grad — cotangents of anchors, positives and negatives of batch_contrast.
//
//   f = d_losses[trial]·slopes[trial]·2/count;  da = f·(n − p), dp = f·(p − a), dn = f·(a − n)
//
// Layout    as ssl/batch_contrast; d_losses f32[trials] · d_z f32[3, trials, count]
// Dispatch  ⌈trials·count/WG⌉ workgroups, folded into y; an invocation owns one element of a triplet
// Knobs     WG workgroup size
// Error     |dz − exact| ≤ γ_6·|f|·(sum of the two magnitudes)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/sslKernels.ts
// Source    chain rule
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { trials: u32, count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
@group(0) @binding(3) var<storage, read> d_losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_z: array<f32>;

@compute @workgroup_size(WG)
fn batch_contrast_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  let view = params.trials * params.count;
  if (at >= view) {
    return;
  }
  let trial = at / params.count;
  let factor = d_losses[trial] * slopes[trial] * (2.0 / f32(params.count));
  let a = z[at];
  let p = z[view + at];
  let n = z[2u * view + at];
  d_z[at] = factor * (n - p);
  d_z[view + at] = factor * (p - a);
  d_z[2u * view + at] = factor * (a - n);
}
