// root_contrast — cotangents that turn a backward pass into the covariance of the network's outputs with the root.
//
//   y[k, t, r, o] = δ_ko·(z_0 − mean z_0)/rows, the mean over the rows of the trial: pulled back to the weights of a node, cotangent k
//   gives column k of M = (1/rows) Σ_r (z_0 − mean)·K(x_r), K = f ⊗ Jᵀ the connection; then V_{z_0}[E[K | z_0]] = M Mᵀ/Var z_0
//
// Layout    latents u32[trials, rows/32, latents], the root first · y f32[outputs, trials, rows, outputs], rows a multiple of 32
// Dispatch  ⌈trials·rows/WG⌉ workgroups, folded into y; one invocation a row of a trial
// Knobs     WG workgroup size
// Error     γ_3 of each entry   (γ_k = k·u/(1−k·u), u = 2⁻²⁴); the mean is exact but for its rounding
// Backward  not differentiated
// Oracle    test/oracle/hltm.ts
// Source    covariance operator of Tian et al. 2020 (arXiv 2010.00578v6) under the HLTM augmentation (keep the root, resample the rest)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { trials: u32, rows: u32, latents: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> latents: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn root_contrast(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  if (item >= params.trials * params.rows) {
    return;
  }
  let trial = item / params.rows;
  let row = item % params.rows;
  let blocks = params.rows / 32u;
  var ones = 0u;
  for (var tile = 0u; tile < blocks; tile++) {
    ones += countOneBits(latents[(trial * blocks + tile) * params.latents]);
  }
  let word = latents[(trial * blocks + row / 32u) * params.latents];
  let rows = f32(params.rows);
  let value = (f32((word >> (row % 32u)) & 1u) - f32(ones) / rows) / rows;
  for (var k = 0u; k < params.outputs; k++) {
    let out = (k * params.trials * params.rows + item) * params.outputs;
    for (var o = 0u; o < params.outputs; o++) {
      y[out + o] = select(0.0, value, o == k);
    }
  }
}
