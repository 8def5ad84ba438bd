// svd_order — scale, flags and column order of a matrix before its singular value decomposition.
//
//   shrink = 2^-e with the largest magnitude in [2^e, 2^(e+1)), exact; columns by descending largest magnitude, equal ones as they stand.
//   A triangle of columns so sorted has rows that one-sided Jacobi makes orthogonal in a third to half of the sweeps, and its rows keep
//   the columns' relative accuracy (Drmač & Veselić 2008 pivot for that; sorting once serves columns of different scales).
//
// Layout    z u32[batch, rows, columns] by row_stride, column_stride: bits of f32, or the maxima of svd_range
//           order u32[batch, 4 + 4·quads]: bits of shrink and of its inverse, flags (bit 0: NaN or infinite), 0; then for each sorted
//           place the column that goes there
// Dispatch  (batch, 1, 1); one workgroup per matrix
// Knobs     WG workgroup size, COLUMNS largest number of columns (workgroup memory)
// Error     exact; a matrix without a normal number, or with NaN or infinities, has shrink 0
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    Drmač & Veselić 2008, New fast and accurate Jacobi SVD algorithm I, SIAM J. Matrix Anal. Appl. 29
override WG: u32 = 64u;
override COLUMNS: u32 = 128u;
struct Params { batch: u32, rows: u32, columns: u32, quads: u32, row_stride: u32, column_stride: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<u32>;
@group(0) @binding(2) var<storage, read_write> order: array<u32>;

var<workgroup> column_largest: array<u32, COLUMNS>;
var<workgroup> lane_largest: array<u32, WG>;

@compute @workgroup_size(WG)
fn svd_order(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let columns = params.columns;
  let base = group.x * params.rows * columns;
  let words = group.x * (4u + 4u * params.quads);
  var overall = 0u;
  for (var column = lane; column < columns; column += WG) {
    var largest = 0u;
    for (var row = 0u; row < params.rows; row++) {
      largest = max(largest, z[base + row * params.row_stride + column * params.column_stride] & 0x7fffffffu);
    }
    column_largest[column] = largest;
    overall = max(overall, largest);
  }
  lane_largest[lane] = overall;
  workgroupBarrier();
  for (var column = lane; column < 4u * params.quads; column += WG) {
    var rank = column;
    if (column < columns) {
      let mine = column_largest[column];
      rank = 0u;
      for (var other = 0u; other < columns; other++) {
        let rival = column_largest[other];
        rank += select(0u, 1u, rival > mine || (rival == mine && other < column));
      }
    }
    order[words + 4u + rank] = column;
  }
  if (lane == 0u) {
    for (var at = 1u; at < WG; at++) {
      overall = max(overall, lane_largest[at]);
    }
    // The extreme exponents are kept where both powers are normal numbers. Denormals are zero to the hardware, and so to us.
    let exponent = clamp(overall >> 23u, 2u, 252u);
    let is_taken = overall >= 0x00800000u && overall < 0x7f800000u;
    order[words] = select(0u, (254u - exponent) << 23u, is_taken);
    order[words + 1u] = select(0u, exponent << 23u, is_taken);
    order[words + 2u] = select(0u, 1u, overall >= 0x7f800000u);
    order[words + 3u] = 0u;
  }
}
