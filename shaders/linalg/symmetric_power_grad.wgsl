// symmetric_power_grad — the middle factor of the cotangent of A^p = V diag(f(λ)) Vᵀ: dA = V·M·Vᵀ, with g = Vᵀ·dY·V,
//
//   M_ij = ½·(g_ij + g_ji)·φ(λ_i, λ_j),  φ(x, y) = (f(x) − f(y))/(x − y), f'(x) where x = y
//
// in the closed forms 1/(√x + √y), −1/(√x·√y·(√x + √y)) and −1/(x·y), which do not cancel and know no degenerate case. With one of the two
// at or below the cut-off f is 0 there and φ is the plain quotient; with both, 0.
//
// Layout    values f32[batch, n] · g, m f32[batch, n, n] row-major
// Dispatch  ⌈batch·n²/WG⌉ workgroups, folded into y
// Knobs     WG workgroup size, POWER 0: 1/2, 1: −1/2, 2: −1
// Error     |M − exact for the given inputs| ≤ γ_24·(|g_ij| + |g_ji|)·φ; across the cut-off as good as the gap   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/symmetricPower.ts
// Source    Daleckii & Krein 1965; Higham 2008, Functions of Matrices, §3.2
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const POWER: u32 = 0u; //#knob
struct Params { batch: u32, n: u32, cutoff: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;

fn power_of_root(root: f32) -> f32 {
  var result = root;
  if (POWER == 1u) {
    result = 1.0 / root;
  } else if (POWER == 2u) {
    result = 1.0 / (root * root);
  }
  return result;
}

@compute @workgroup_size(WG)
fn symmetric_power_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = params.n;
  let at = workgroup_index(group, groups) * WG + lane;
  if (at < params.batch * n * n) {
    let first = at / (n * n) * n;
    let i = at / n % n;
    let j = at % n;
    let threshold = params.cutoff * max(abs(values[first]), abs(values[first + n - 1u]));
    let above = max(values[first + i], values[first + j]);
    let below = min(values[first + i], values[first + j]);
    var quotient = 0.0;
    if (above > threshold) {
      let x = sqrt(above);
      if (below > threshold) {
        let y = sqrt(below);
        if (POWER == 0u) {
          quotient = 1.0 / (x + y);
        } else if (POWER == 1u) {
          quotient = -1.0 / (x * y * (x + y));
        } else {
          quotient = -1.0 / (above * below);
        }
      } else {
        quotient = power_of_root(x) / (above - below);
      }
    }
    m[at] = 0.5 * (g[at] + g[first * n + j * n + i]) * quotient;
  }
}
