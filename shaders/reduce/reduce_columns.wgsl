// reduce_columns — sums over the rows of each matrix of a batch: one number per column.
//
//   y[g, j] = scale · Σ_i x[g, i, j]
//
// Layout    x f32[batch, rows, columns] row-major · y f32[batch, columns]
// Dispatch  (⌈columns/COLUMNS⌉, batch, 1); a workgroup owns COLUMNS columns, LANES = WG/COLUMNS rows at a time
// Knobs     WG, COLUMNS powers of two, COLUMNS ≤ WG
// Error     |y − exact| ≤ γ_k·|scale|·Σ|x|, k = ⌈rows/LANES⌉ + log2 LANES   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  broadcast of the cotangent over rows (elementwise_binary)
// Oracle    test/oracle/reduce.ts
// Source    pairwise part: Higham 2002, Accuracy and Stability of Numerical Algorithms, §4.2
override WG: u32 = 64u;
override COLUMNS: u32 = 16u;
struct Params { batch: u32, rows: u32, columns: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn reduce_columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane % COLUMNS;
  let first = lane / COLUMNS;
  let lanes = WG / COLUMNS;
  var sum = 0.0;
  if (column < params.columns) {
    let base = group.y * params.rows * params.columns + column;
    for (var row = first; row < params.rows; row += lanes) {
      sum += x[base + row * params.columns];
    }
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half >= COLUMNS; half = half / 2u) {
    if (lane < half) {
      partial[lane] = partial[lane] + partial[lane + half];
    }
    workgroupBarrier();
  }
  if (first == 0u && column < params.columns) {
    y[group.y * params.columns + column] = params.scale * partial[lane];
  }
}
