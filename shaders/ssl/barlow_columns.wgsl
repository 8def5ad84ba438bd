// barlow_columns — standardises each output dimension of two views; 1 minus their correlation, without cancelling.
//
//   y_v[i, j] = (z_v[i, j] − mean_v[j]) · s_v[j],  s_v[j] = 1/√(var_v[j] + epsilon), biased variance
//   shortfall[j] = 1 − (1/rows) Σ_i y_0·y_1 = (1/2·rows) Σ_i (y_0 − y_1)² + (epsilon/2)·(s_0² + s_1²),  since mean y_v² = 1 − epsilon·s_v²
//
// Layout    z, y f32[2, rows, columns] · inverse_std f32[2, columns] · shortfall f32[columns]
// Dispatch  (⌈columns/COLUMNS⌉, 1, 1); a workgroup owns COLUMNS columns, LANES = WG/COLUMNS rows at a time
// Knobs     WG, COLUMNS powers of two, COLUMNS ≤ WG
// Error     mean, variance and y as norm/column_standardize; shortfall: a few times u·(1 + √shortfall) relative, as an error common to a
//           column's y changes it by its own multiple only
// Backward  norm/column_standardize_grad.wgsl for y; the shortfall is a function of y
// Oracle    test/oracle/sslKernels.ts
// Source    Zbontar et al. 2021, eq. 1 and its reference's BatchNorm1d without affine part
override WG: u32 = 64u;
override COLUMNS: u32 = 16u;
struct Params { rows: u32, columns: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> inverse_std: array<f32>;
@group(0) @binding(4) var<storage, read_write> shortfall: array<f32>;

//#include "lib/column_sum.wgsl"

@compute @workgroup_size(WG)
fn barlow_columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane % COLUMNS;
  let is_inside = column < params.columns;
  // Columns beyond the edge repeat the last one and store nothing.
  let inside = min(column, params.columns - 1u);
  let view = params.rows * params.columns;
  let first = lane / COLUMNS;
  let lanes = WG / COLUMNS;
  var sums = vec4<f32>(0.0);
  for (var row = first; row < params.rows; row += lanes) {
    let at = row * params.columns + inside;
    sums += vec4<f32>(z[at], z[view + at], 0.0, 0.0);
  }
  let mean = column_sum(sums, lane).xy / f32(params.rows);
  var squares = vec4<f32>(0.0);
  for (var row = first; row < params.rows; row += lanes) {
    let at = row * params.columns + inside;
    let deviation = vec2<f32>(z[at], z[view + at]) - mean;
    squares += vec4<f32>(deviation * deviation, 0.0, 0.0);
  }
  let scale = vec2<f32>(1.0) / sqrt(column_sum(squares, lane).xy / f32(params.rows) + vec2<f32>(params.epsilon));
  var distances = vec4<f32>(0.0);
  for (var row = first; row < params.rows; row += lanes) {
    let at = row * params.columns + inside;
    let value = (vec2<f32>(z[at], z[view + at]) - mean) * scale;
    let difference = value.x - value.y;
    distances.x += difference * difference;
    if (is_inside) {
      y[at] = value.x;
      y[view + at] = value.y;
    }
  }
  let distance = column_sum(distances, lane).x / f32(params.rows);
  if (is_inside && first == 0u) {
    inverse_std[column] = scale.x;
    inverse_std[params.columns + column] = scale.y;
    shortfall[column] = 0.5 * (distance + params.epsilon * dot(scale, scale));
  }
}
