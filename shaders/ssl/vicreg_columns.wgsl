// vicreg_columns — per output dimension of two views: centring, the hinge on the standard deviation, the invariance term.
//
//   z_v[i, j] with v = 0, 1;  zc = z − its column's mean;  std_v[j] = √( Σ_i zc² / (rows − 1) + epsilon )
//   terms[j] = invariance · Σ_i (z_0 − z_1)²[i, j] + variance · Σ_v max(0, 1 − std_v[j])
//   slope[v, j] = −variance / ((rows − 1)·std_v[j]) where std_v[j] < 1, else 0:  ∂terms/∂z through the hinge is slope·zc
//
// Layout    z, centered f32[2, rows, columns] · slope f32[2, columns] · terms f32[columns]
// Dispatch  (⌈columns/COLUMNS⌉, 1, 1); a workgroup owns COLUMNS columns, LANES = WG/COLUMNS rows at a time
// Knobs     WG, COLUMNS powers of two, COLUMNS ≤ WG
// Error     means γ_k·mean|z|, k = ⌈rows/LANES⌉ + log2 LANES + 4; the sums of squares γ_k more   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  ssl/vicreg_pull.wgsl, with the covariance's part by a matrix product
// Oracle    test/oracle/sslKernels.ts
// Source    Bardes, Ponce & LeCun 2022, eqs. 1, 2 and 5; facebookresearch/vicreg (variance with rows − 1, eps 1e-4)
override WG: u32 = 64u;
override COLUMNS: u32 = 16u;
struct Params { rows: u32, columns: u32, epsilon: f32, invariance: f32, variance: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> centered: array<f32>;
@group(0) @binding(3) var<storage, read_write> slope: array<f32>;
@group(0) @binding(4) var<storage, read_write> terms: array<f32>;

//#include "lib/column_sum.wgsl"

@compute @workgroup_size(WG)
fn vicreg_columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane % COLUMNS;
  let is_inside = column < params.columns;
  // Columns beyond the edge repeat the last one and store nothing.
  let inside = min(column, params.columns - 1u);
  let view = params.rows * params.columns;
  let first = lane / COLUMNS;
  let lanes = WG / COLUMNS;
  // Sums of both views, and of the squared differences.
  var sums = vec4<f32>(0.0);
  for (var row = first; row < params.rows; row += lanes) {
    let at = row * params.columns + inside;
    let a = z[at];
    let b = z[view + at];
    sums += vec4<f32>(a, b, (a - b) * (a - b), 0.0);
  }
  let totals = column_sum(sums, lane);
  let mean = totals.xy / f32(params.rows);
  var squares = vec4<f32>(0.0);
  for (var row = first; row < params.rows; row += lanes) {
    let at = row * params.columns + inside;
    let deviation = vec2<f32>(z[at], z[view + at]) - mean;
    squares += vec4<f32>(deviation * deviation, 0.0, 0.0);
    if (is_inside) {
      centered[at] = deviation.x;
      centered[view + at] = deviation.y;
    }
  }
  let degrees = f32(params.rows - 1u);
  let spread = sqrt(column_sum(squares, lane).xy / degrees + vec2<f32>(params.epsilon));
  if (is_inside && first == 0u) {
    let hinge = max(vec2<f32>(0.0), vec2<f32>(1.0) - spread);
    let slopes = select(vec2<f32>(0.0), vec2<f32>(-params.variance) / (degrees * spread), spread < vec2<f32>(1.0));
    slope[column] = slopes.x;
    slope[params.columns + column] = slopes.y;
    terms[column] = params.invariance * totals.z + params.variance * (hinge.x + hinge.y);
  }
}
