// reduce_rows — sums over each row: one number per row; with SQUARE, sums of squares.
//
//   y[i] = scale · Σ_j x[i, j]          SQUARE: y[i] = scale · Σ_j x[i, j]²
//
// Layout    x f32[rows, columns] row-major · y f32[rows]
// Dispatch  rows workgroups, folded into y; one workgroup per row
// Knobs     WG power of two
// Error     |y − exact| ≤ γ_k·|scale|·Σ|x| (or Σx²), k = ⌈columns/WG⌉ + log2 WG + 1   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  broadcast of the cotangent over columns; SQUARE: 2·x·dY (elementwise_binary)
// Oracle    test/oracle/reduce.ts
// Source    Higham 2002, Accuracy and Stability of Numerical Algorithms, §4.2
//#include "lib/index.wgsl"
//#include "lib/reduce.wgsl"
override WG: u32 = 64u;
const SQUARE: bool = false; //#knob
struct Params { rows: u32, columns: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn reduce_rows(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups);
  var sum = 0.0;
  if (row < params.rows) {
    let base = row * params.columns;
    for (var column = lane; column < params.columns; column += WG) {
      let value = x[base + column];
      sum += select(value, value * value, SQUARE);
    }
  }
  let total = workgroup_sum(sum, lane);
  if (lane == 0u && row < params.rows) {
    y[row] = params.scale * total;
  }
}
