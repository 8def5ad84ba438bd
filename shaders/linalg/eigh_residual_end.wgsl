// eigh_residual_end — ‖AV − V·diag(λ)‖_F/‖A‖_F of each matrix of a batch into its status, from the sums of eigh_residual.
//
//   ‖A‖_F = √Σ λ², with λ scaled as there.
//
// Layout    partial f32[batch, parts] · values f32[batch, n] sorted either way · status u32[batch, 4] word 3: the residual as f32 bits
// Dispatch  (batch, 1, 1)
// Knobs     WG workgroup size
// Error     γ_k relative, k = ⌈max(parts, n)/WG⌉ + WG + 4 (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/eighStages.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.1
override WG: u32 = 32u;
struct Params { batch: u32, n: u32, parts: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> status: array<u32>;

var<workgroup> lane_sums: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn eigh_residual_end(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let n = params.n;
  let largest = max(abs(values[group.x * n]), abs(values[group.x * n + n - 1u]));
  let shrink = bitcast<f32>((254u - clamp(bitcast<u32>(largest) >> 23u, 2u, 252u)) << 23u);
  var sums = vec2<f32>();
  for (var at = lane; at < params.parts; at += WG) {
    sums.x += partial[group.x * params.parts + at];
  }
  for (var at = lane; at < n; at += WG) {
    let value = values[group.x * n + at] * shrink;
    sums.y += value * value;
  }
  lane_sums[lane] = sums;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < WG; other++) {
      sums += lane_sums[other];
    }
    var residual = 0.0;
    if (sums.y > 0.0) {
      residual = sqrt(sums.x) / sqrt(sums.y);
    }
    status[4u * group.x + 3u] = bitcast<u32>(residual);
  }
}
