// eigh_grad — the middle factor of the cotangent of a symmetric eigen-decomposition A = V diag(λ) Vᵀ.
//
//   dA = V·M·Vᵀ,  M_ij = δ_ij·dλ_i + ½·F_ij·(C_ij − C_ji),  C = Vᵀ·dV
//   F_ij = 1/(λ_j − λ_i) where |λ_j − λ_i| > gap·max|λ|, else 0
//
// M is symmetric, hence dA: the derivative along symmetric perturbations. A pair of eigenvalues closer than `gap` spans an invariant
// subspace whose basis the solver picks at random; a function of the subspace alone has C_ij = C_ji there, and zero is then exact.
//
// Layout    values, d_values f32[batch, n], values sorted either way · c, m f32[batch, n, n] row-major
// Dispatch  ⌈batch·n²/WG⌉ workgroups, folded into y
// Knobs     WG workgroup size, HAS_VALUES (d_values is given), HAS_VECTORS (c is given)
// Error     |M − exact for the given inputs| ≤ γ_5·(|dλ_i| + |F_ij|·(|C_ij| + |C_ji|))   (γ_k = k·u/(1−k·u), u = 2⁻²⁴); F is as good as the gap
// Backward  not differentiated
// Oracle    test/oracle/eighGrad.ts
// Source    Magnus 1985, On differentiating eigenvalues and eigenvectors, thm 1; Giles 2008, §3.1
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const HAS_VALUES: bool = true; //#knob
const HAS_VECTORS: bool = true; //#knob
struct Params { batch: u32, n: u32, gap: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> d_values: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read_write> m: array<f32>;

@compute @workgroup_size(WG)
fn eigh_grad(
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
    var result = 0.0;
    if (HAS_VALUES) {
      if (i == j) {
        result = d_values[first + i];
      }
    }
    if (HAS_VECTORS) {
      let largest = max(abs(values[first]), abs(values[first + n - 1u]));
      let difference = values[first + j] - values[first + i];
      if (abs(difference) > params.gap * largest) {
        result += 0.5 * (c[at] - c[first * n + j * n + i]) / difference;
      }
    }
    m[at] = result;
  }
}
