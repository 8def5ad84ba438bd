// cross_correlation — cross-correlation matrix of two views' embeddings; a tall-and-thin Aᵀ·B.
//
//   C[i, j] = scale · Σ_k a[k, i]·b[k, j]                                        SYMMETRIC false
//   C[i, j] = scale/2 · Σ_k ( a[k, i]·b[k, j] + b[k, i]·a[k, j] )                SYMMETRIC true
//
// Layout    a, b f32[rows, columns] row-major, from element a_offset, b_offset of their buffers · c f32[columns, columns]
// Dispatch  (⌈columns/4⌉, ⌈columns/4⌉, 1); a workgroup owns a 4×4 block of C and splits the rows over its WG invocations
// Knobs     WG power of two
// Error     |C − exact| ≤ γ_k·|scale|·Σ(|a||b|), k = ⌈rows/WG⌉ (twice with SYMMETRIC) + log2 WG + 1   (γ_k = k·u/(1−k·u),
//           u = 2⁻²⁴); symmetric up to that bound, not to the bit
// Backward  matmul: dA = scale·B·dCᵀ, dB = scale·A·dC; SYMMETRIC with (dC + dCᵀ)/2 for both
// Oracle    test/oracle/ssl.ts
// Source    Simon et al. 2023, §4 (SYMMETRIC); Zbontar et al. 2021, eq. 2 for standardised views
override WG: u32 = 32u;
const SYMMETRIC: bool = true; //#knob
struct Params { rows: u32, columns: u32, a_offset: u32, b_offset: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

// Four vec4 per invocation: row q of the 4×4 block at [q·WG + lane].
var<workgroup> partial: array<vec4<f32>, WG * 4u>;

@compute @workgroup_size(WG)
fn cross_correlation(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let last = params.columns - 1u;
  let i = vec4<u32>(0u, 1u, 2u, 3u) + group.y * 4u;
  let j = vec4<u32>(0u, 1u, 2u, 3u) + group.x * 4u;
  // Entries beyond the edge repeat the last column and are not stored.
  let ic = min(i, vec4<u32>(last));
  let jc = min(j, vec4<u32>(last));
  var acc: array<vec4<f32>, 4>;
  for (var row = lane; row < params.rows; row += WG) {
    let at = params.a_offset + row * params.columns;
    let bt = params.b_offset + row * params.columns;
    let a_i = vec4<f32>(a[at + ic.x], a[at + ic.y], a[at + ic.z], a[at + ic.w]);
    let b_j = vec4<f32>(b[bt + jc.x], b[bt + jc.y], b[bt + jc.z], b[bt + jc.w]);
    for (var q = 0u; q < 4u; q++) { //#unroll
      acc[q] += a_i[q] * b_j;
    }
    if (SYMMETRIC) {
      let b_i = vec4<f32>(b[bt + ic.x], b[bt + ic.y], b[bt + ic.z], b[bt + ic.w]);
      let a_j = vec4<f32>(a[at + jc.x], a[at + jc.y], a[at + jc.z], a[at + jc.w]);
      for (var q = 0u; q < 4u; q++) { //#unroll
        acc[q] += b_i[q] * a_j;
      }
    }
  }
  for (var q = 0u; q < 4u; q++) { //#unroll
    partial[q * WG + lane] = acc[q];
  }
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half = half / 2u) {
    if (lane < half) {
      for (var q = 0u; q < 4u; q++) { //#unroll
        partial[q * WG + lane] = partial[q * WG + lane] + partial[q * WG + lane + half];
      }
    }
    workgroupBarrier();
  }
  let factor = params.scale * select(1.0, 0.5, SYMMETRIC);
  // The first sixteen (or all, when fewer) invocations store one entry each.
  for (var entry = lane; entry < 16u; entry += WG) {
    let row = group.y * 4u + entry / 4u;
    let column = group.x * 4u + entry % 4u;
    if (row < params.columns && column < params.columns) {
      c[row * params.columns + column] = factor * partial[(entry / 4u) * WG][entry % 4u];
    }
  }
}
