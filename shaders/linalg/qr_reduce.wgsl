// qr_reduce — the triangle R of a QR factorisation of each chunk of rows of a matrix, by Householder reflections in one workgroup.
//
//   chunk = Q R. With several chunks the triangles, one below the other, are the source of the next level (tall-skinny QR); with one
//   chunk R is the matrix's. The first level scales by an exact power of two and sorts the columns as svd_order says.
//
// Layout    source f32[batch, rows, columns] by row_stride, column_stride · order u32[batch, 4 + 4·quads] of svd_order (with ORDERED)
//           work f32[batch·chunks, work_rows, 4·quads] scratch · r f32[batch·chunks, columns, 4·quads], zeros below the diagonal
// Dispatch  (chunks, batch, 1); one workgroup per chunk of chunk_rows rows; work_rows ≥ chunk_rows and ≥ 4·quads, the rest zero
// Knobs     WG workgroup size, GROUPS lanes side by side over strips of four columns, STRIPES = WG / GROUPS lanes sharing a strip's rows,
//           ORDERED scale and sort (first level)
// Error     column j of R is exact for a matrix whose column j is off by γ_{c·rows·columns}·‖column j‖ (Higham 2002, theorem 19.4): columns
//           of any scales keep their relative accuracy, which a Cholesky factor of the Gram matrix does not; measured in
//           test/kernels/qr.test.ts
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §5.2; Demmel, Grigori, Hoemmen & Langou 2012 (tall-skinny QR)
override WG: u32 = 16u;
override GROUPS: u32 = 16u;
override STRIPES: u32 = 1u;
const ORDERED: bool = true; //#knob
struct Params {
  batch: u32,
  rows: u32,
  columns: u32,
  quads: u32,
  chunks: u32,
  chunk_rows: u32,
  work_rows: u32,
  row_stride: u32,
  column_stride: u32,
  matrix_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> r: array<vec4<f32>>;
//#include "lib/householder.wgsl"

fn load(matrix: u32, row: u32, column: u32) -> f32 {
  if (row >= params.rows || column >= params.columns) {
    return 0.0;
  }
  let start = matrix * params.matrix_stride + row * params.row_stride;
  if (ORDERED) {
    let words = matrix * (4u + 4u * params.quads);
    let shrink = bitcast<f32>(order[words]);
    let value = source[start + order[words + 4u + column] * params.column_stride];
    // A matrix with NaN or infinities has shrink 0 and is taken as zero.
    return select(value * shrink, 0.0, shrink == 0.0);
  } else {
    return source[start + column * params.column_stride];
  }
}

@compute @workgroup_size(WG)
fn qr_reduce(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quads = params.quads;
  let chunk = group.y * params.chunks + group.x;
  let rows = params.work_rows;
  let base = chunk * rows * quads;
  let elements = rows * quads;
  for (var at = lane; at < elements; at += WG) {
    let local_row = at / quads;
    let column = 4u * (at % quads);
    // Rows of the next chunk are none of ours.
    let row = select(params.rows, group.x * params.chunk_rows + local_row, local_row < params.chunk_rows);
    work[base + at] = vec4<f32>(
      load(group.y, row, column),
      load(group.y, row, column + 1u),
      load(group.y, row, column + 2u),
      load(group.y, row, column + 3u),
    );
  }
  storageBarrier();
  for (var strip = 0u; strip < quads; strip++) {
    let at = base + strip;
    let t = factor_strip(at, quads, 4u * strip, rows, lane);
    storageBarrier();
    for (var start = strip + 1u; start < quads; start += GROUPS) {
      let other = start + lane % GROUPS;
      // Lanes beyond the last strip take part in the barriers, on the last strip, without writing.
      let target_strip = base + min(other, quads - 1u);
      let w = strip_products(at, target_strip, quads, 4u * strip, rows, lane) * t;
      if (other < quads) {
        strip_update(at, target_strip, quads, 4u * strip, rows, w, lane);
      }
    }
    storageBarrier();
  }
  let triangle = chunk * params.columns * quads;
  let kept = params.columns * quads;
  for (var at = lane; at < kept; at += WG) {
    let row = at / quads;
    let columns = 4u * (at % quads) + COLUMN_INDEX;
    r[triangle + at] = select(vec4<f32>(), work[base + at], columns >= vec4<u32>(row));
  }
}
