// operator_norm — Frobenius norm of M Mᵀ for every node and trial, by the small Gram matrix: ‖M Mᵀ‖_F = ‖MᵀM‖_F.
//
//   y[t, g] = √(Σ_{k,k'} (Σ_j M[k, j]·M[k', j])²),  j over the weights of node g without the bias
//
// Layout    m f32[columns, slice], a slice the weights [trials, nodes, fan_out, fan_in + 1] of all trials, padded · y f32[trials, nodes]
// Dispatch  (trials·nodes, 1, 1), folded into y; one workgroup a node, its lanes stride over pairs (k, k')
// Knobs     WG a power of two
// Error     γ_k·√(Σ(Σ|M||M|)²), k = fan_out·fan_in + ⌈columns²/WG⌉ + log2 WG + 4   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/hltm.ts
// Source    norm of the operator OP_μ in luckmatters/ssl/hltm (Tian et al. 2020)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { columns: u32, slice: u32, cells: u32, fan_in: u32, fan_out: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

//#include "lib/reduce.wgsl"

@compute @workgroup_size(WG)
fn operator_norm(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let cell = workgroup_index(group, groups);
  // A folded grid may have workgroups too many: they repeat the last node and store nothing.
  let base = min(cell, params.cells - 1u) * params.fan_out * (params.fan_in + 1u);
  var squares = 0.0;
  for (var pair = lane; pair < params.columns * params.columns; pair += WG) {
    let left = pair / params.columns * params.slice + base;
    let right = pair % params.columns * params.slice + base;
    var product = 0.0;
    for (var o = 0u; o < params.fan_out; o++) {
      for (var i = 0u; i < params.fan_in; i++) {
        let at = o * (params.fan_in + 1u) + i;
        product += m[left + at] * m[right + at];
      }
    }
    squares += product * product;
  }
  let total = workgroup_sum(squares, lane);
  if (lane == 0u && cell < params.cells) {
    y[cell] = sqrt(total);
  }
}
