// column_standardize_grad — cotangent of column_standardize; the mean and variance are differentiated too.
//
//   dX[i, j] = inverse_std[j] · ( dY[i, j] − mean_i dY[i, j] − y[i, j] · mean_i(dY[i, j] · y[i, j]) )
//
// Layout    d_y, y, d_x f32[batch, rows, columns] row-major · inverse_std f32[batch, columns]
// Dispatch  (⌈columns/COLUMNS⌉, batch, 1); a workgroup owns COLUMNS columns, LANES = WG/COLUMNS rows at a time
// Knobs     WG, COLUMNS powers of two, COLUMNS ≤ WG
// Error     |dX − exact| ≤ γ_k·inverse_std·(|dY| + mean|dY| + |y|·mean|dY·y|), k = ⌈rows/LANES⌉ + log2 LANES + 9
//           (of which 5 for one division)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/norm.ts
// Source    Ioffe & Szegedy 2015, §3, with the terms of mean and variance collected
override WG: u32 = 64u;
override COLUMNS: u32 = 16u;
struct Params { batch: u32, rows: u32, columns: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> inverse_std: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_x: array<f32>;

var<workgroup> partial: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn column_standardize_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane % COLUMNS;
  let inside = min(column, params.columns - 1u);
  let base = group.y * params.rows * params.columns + inside;
  let first = lane / COLUMNS;
  let lanes = WG / COLUMNS;
  // x: sum of dY, y: sum of dY·y
  var sums = vec2<f32>(0.0);
  for (var row = first; row < params.rows; row += lanes) {
    let at = base + row * params.columns;
    sums += vec2<f32>(d_y[at], d_y[at] * y[at]);
  }
  partial[lane] = sums;
  workgroupBarrier();
  for (var half = WG / 2u; half >= COLUMNS; half = half / 2u) {
    if (lane < half) {
      partial[lane] = partial[lane] + partial[lane + half];
    }
    workgroupBarrier();
  }
  let means = partial[lane % COLUMNS] / f32(params.rows);
  if (column < params.columns) {
    let scale = inverse_std[group.y * params.columns + column];
    for (var row = first; row < params.rows; row += lanes) {
      let at = base + row * params.columns;
      d_x[at] = scale * (d_y[at] - means.x - y[at] * means.y);
    }
  }
}
