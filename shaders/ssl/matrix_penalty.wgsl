// matrix_penalty — weighted squares of the diagonal's distance from a target and of the off-diagonal, over a batch of square matrices.
//
//   Σ_g ( diagonal · Σ_i (c[g, i, i] − target)² + off_diagonal · Σ_{i≠j} c[g, i, j]² )  [+ Σ terms with HAS_TERMS]
//   residual[g, i, j] = diagonal·(c − target) on the diagonal, off_diagonal·c elsewhere: half the derivative
//   HAS_SHORTFALL: c[i, i] − target is −shortfall[i], known better than the difference (batch 1)
//   partial[p] = the share of part p; the terms belong to part 0; the sum over partial is the loss
//
// Layout    c, residual f32[batch, n, n], count = batch·n² elements · terms f32[term_count] ·
//           shortfall f32[n] · partial f32[⌈count/span⌉]
// Dispatch  (⌈count/span⌉, 1, 1); a workgroup owns `span` consecutive elements
// Knobs     WG power of two, HAS_TERMS, HAS_SHORTFALL
// Error     |Σ partial − exact| ≤ γ_k·Σ(absolute terms), k = ⌈max(span, term_count)/WG⌉ + log2 WG + 4; residual within two roundings
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  2 · dLoss · residual (elementwise_binary)
// Oracle    test/oracle/sslKernels.ts
// Source    Barlow Twins: Zbontar et al. 2021, eq. 1; the covariance term of VICReg: Bardes et al. 2022, eq. 4
//#include "lib/reduce.wgsl"
override WG: u32 = 64u;
const HAS_TERMS: bool = false; //#knob
const HAS_SHORTFALL: bool = false; //#knob
struct Params { n: u32, count: u32, span: u32, term_count: u32, diagonal: f32, target_value: f32, off_diagonal: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> c: array<f32>;
@group(0) @binding(2) var<storage, read> terms: array<f32>;
@group(0) @binding(3) var<storage, read> shortfall: array<f32>;
@group(0) @binding(4) var<storage, read_write> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn matrix_penalty(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let end = min(params.count, (group.x + 1u) * params.span);
  let size = params.n * params.n;
  var sum = 0.0;
  if (HAS_TERMS) {
    if (group.x == 0u) {
      for (var at = lane; at < params.term_count; at += WG) {
        sum += terms[at];
      }
    }
  }
  for (var at = group.x * params.span + lane; at < end; at += WG) {
    let inside = at % size;
    let is_diagonal = inside / params.n == inside % params.n;
    var distance = c[at] - params.target_value;
    if (HAS_SHORTFALL) {
      distance = -shortfall[inside % params.n];
    }
    let value = select(c[at], distance, is_diagonal);
    let weighted = select(params.off_diagonal, params.diagonal, is_diagonal) * value;
    residual[at] = weighted;
    sum += weighted * value;
  }
  let total = workgroup_sum(sum, lane);
  if (lane == 0u) {
    partial[group.x] = total;
  }
}
