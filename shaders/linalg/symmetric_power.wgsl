// symmetric_power — a function of symmetric matrices from their eigen-decomposition, A^p = V diag(f(λ)) Vᵀ.
//
//   f(λ) = λ^p, p ∈ {1/2, −1/2, −1}, for λ > cutoff·max|λ|, else 0 (so negative p gives pseudo-inverses)
//
// Layout    values f32[batch, n] · vectors f32[batch, n, n] row-major, eigenvectors as columns · y f32[batch, n, n], symmetric to the bit
// Dispatch  (⌈n/(4·WG_X)⌉, ⌈n/(4·WG_Y)⌉, batch); an invocation owns 4 × 4 entries of y
// Knobs     WG_X, WG_Y workgroup extents, POWER 0: 1/2, 1: −1/2, 2: −1
// Error     |y_ij − exact for the given decomposition| ≤ γ_{n+12}·Σ_k |v_ik v_jk f(λ_k)|   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  symmetric_power_grad
// Oracle    test/oracle/symmetricPower.ts
// Source    Higham 2008, Functions of Matrices, §1.2
override WG_X: u32 = 8u;
override WG_Y: u32 = 8u;
const POWER: u32 = 0u; //#knob
struct Params { batch: u32, n: u32, cutoff: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn power_of(value: f32, threshold: f32) -> f32 {
  var result = 0.0;
  if (value > threshold) {
    if (POWER == 0u) {
      result = sqrt(value);
    } else if (POWER == 1u) {
      result = 1.0 / sqrt(value);
    } else {
      result = 1.0 / value;
    }
  }
  return result;
}

@compute @workgroup_size(WG_X, WG_Y)
fn symmetric_power(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = params.n;
  let row = 4u * id.y;
  let column = 4u * id.x;
  if (row < n && column < n && id.z < params.batch) {
    let base = id.z * n * n;
    let first = id.z * n;
    // Rows beyond the matrix repeat the last one; their results are not stored.
    let last = n - 1u;
    let r0 = base + row * n;
    let r1 = base + min(row + 1u, last) * n;
    let r2 = base + min(row + 2u, last) * n;
    let r3 = base + min(row + 3u, last) * n;
    let c0 = base + column * n;
    let c1 = base + min(column + 1u, last) * n;
    let c2 = base + min(column + 2u, last) * n;
    let c3 = base + min(column + 3u, last) * n;
    let threshold = params.cutoff * max(abs(values[first]), abs(values[first + last]));
    var y0 = vec4<f32>(0.0);
    var y1 = vec4<f32>(0.0);
    var y2 = vec4<f32>(0.0);
    var y3 = vec4<f32>(0.0);
    for (var k = 0u; k < n; k++) {
      let weight = power_of(values[first + k], threshold);
      let right = vec4<f32>(vectors[c0 + k], vectors[c1 + k], vectors[c2 + k], vectors[c3 + k]);
      // The weight comes last: v_ik·v_jk does not depend on the order of i and j, so y is symmetric to the bit.
      y0 += vectors[r0 + k] * right * weight;
      y1 += vectors[r1 + k] * right * weight;
      y2 += vectors[r2 + k] * right * weight;
      y3 += vectors[r3 + k] * right * weight;
    }
    for (var part = 0u; part < 4u; part++) { //#unroll
      if (column + part < n) {
        y[r0 + column + part] = y0[part];
        if (row + 1u < n) {
          y[r1 + column + part] = y1[part];
        }
        if (row + 2u < n) {
          y[r2 + column + part] = y2[part];
        }
        if (row + 3u < n) {
          y[r3 + column + part] = y3[part];
        }
      }
    }
  }
}
