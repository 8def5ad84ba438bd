// frobenius_identity — weighted squared distance of a square matrix from the identity, and the residual its gradient needs.
//
//   loss = Σ_i (c[i, i] − 1)² + off_diagonal · Σ_{i≠j} c[i, j]²
//   residual[i, j] = c[i, i] − 1 on the diagonal, off_diagonal · c[i, j] elsewhere; d loss / d c = 2 · residual
//
// Layout    c, residual f32[n, n] row-major · loss f32[1]
// Dispatch  (1, 1, 1); one workgroup
// Knobs     WG power of two
// Error     |loss − exact| ≤ γ_k·Σ(terms), k = ⌈n²/WG⌉ + log2 WG + 2; residual within one rounding   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  2 · dLoss · residual (elementwise_binary)
// Oracle    test/oracle/ssl.ts
// Source    off_diagonal 1: Simon et al. 2023, §4, ‖C − I‖_F²; otherwise Zbontar et al. 2021, eq. 1 with λ = off_diagonal
//#include "lib/reduce.wgsl"
override WG: u32 = 64u;
struct Params { n: u32, off_diagonal: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> c: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> residual: array<f32>;

@compute @workgroup_size(WG)
fn frobenius_identity(@builtin(local_invocation_index) lane: u32) {
  let count = params.n * params.n;
  var sum = 0.0;
  for (var at = lane; at < count; at += WG) {
    let value = c[at];
    if (at / params.n == at % params.n) {
      let difference = value - 1.0;
      residual[at] = difference;
      sum += difference * difference;
    } else {
      let weighted = params.off_diagonal * value;
      residual[at] = weighted;
      sum += weighted * value;
    }
  }
  let total = workgroup_sum(sum, lane);
  if (lane == 0u) {
    loss[0] = total;
  }
}
