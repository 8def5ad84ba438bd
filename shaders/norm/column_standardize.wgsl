// column_standardize — centres each column of each matrix of a batch and, with STANDARDIZE, divides it by its standard deviation.
//
//   mean[j] = (1/rows) Σ_i x[i, j]        var[j] = (1/rows) Σ_i (x[i, j] − mean[j])²   (a second pass: E[x²] − E[x]² cancels in f32)
//   y[i, j] = (x[i, j] − mean[j]) · inverse_std[j],   inverse_std[j] = 1/√(var[j] + epsilon), or 1 without STANDARDIZE
//
// Layout    x, y f32[batch, rows, columns] row-major · inverse_std f32[batch, columns]
// Dispatch  (⌈columns/COLUMNS⌉, batch, 1); a workgroup owns COLUMNS columns, LANES = WG/COLUMNS rows at a time
// Knobs     WG, COLUMNS powers of two, COLUMNS ≤ WG
// Error     |mean − exact| ≤ γ_k·mean|x|, k = ⌈rows/LANES⌉ + log2 LANES + 4 (a WGSL division may be off by 5u);
//           var and y as derived in test/kernels/norm.test.ts   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  norm/column_standardize_grad.wgsl (centring is its own adjoint)
// Oracle    test/oracle/norm.ts
// Source    Ioffe & Szegedy 2015, Algorithm 1, without scale and shift
override WG: u32 = 64u;
override COLUMNS: u32 = 16u;
const STANDARDIZE: bool = true; //#knob
struct Params { batch: u32, rows: u32, columns: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> inverse_std: array<f32>;

var<workgroup> partial: array<f32, WG>;

// Sum over the lanes that share a column.
fn column_sum(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half >= COLUMNS; half = half / 2u) {
    if (lane < half) {
      partial[lane] = partial[lane] + partial[lane + half];
    }
    workgroupBarrier();
  }
  let total = partial[lane % COLUMNS];
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(WG)
fn column_standardize(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane % COLUMNS;
  let is_inside = column < params.columns;
  // Columns beyond the edge repeat the last one and store nothing.
  let base = group.y * params.rows * params.columns + min(column, params.columns - 1u);
  let first = lane / COLUMNS;
  let lanes = WG / COLUMNS;
  var sum = 0.0;
  for (var row = first; row < params.rows; row += lanes) {
    sum += x[base + row * params.columns];
  }
  let mean = column_sum(sum, lane) / f32(params.rows);
  var scale = 1.0;
  if (STANDARDIZE) {
    var squares = 0.0;
    for (var row = first; row < params.rows; row += lanes) {
      let deviation = x[base + row * params.columns] - mean;
      squares += deviation * deviation;
    }
    scale = 1.0 / sqrt(column_sum(squares, lane) / f32(params.rows) + params.epsilon);
  }
  if (is_inside) {
    for (var row = first; row < params.rows; row += lanes) {
      let at = base + row * params.columns;
      y[at] = (x[at] - mean) * scale;
    }
    if (first == 0u) {
      inverse_std[group.y * params.columns + column] = scale;
    }
  }
}
