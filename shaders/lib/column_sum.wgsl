// Sum over the lanes that share a column: lanes with equal lane % COLUMNS; the including kernel declares the knobs WG and COLUMNS
// (powers of two, COLUMNS <= WG). A fixed tree: equal inputs give equal bits. No bindings.

var<workgroup> column_partial: array<vec4<f32>, WG>;

// Must be reached by the whole workgroup; the sum is in every invocation of the column.
fn column_sum(value: vec4<f32>, lane: u32) -> vec4<f32> {
  column_partial[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half >= COLUMNS; half = half / 2u) {
    if (lane < half) {
      column_partial[lane] = column_partial[lane] + column_partial[lane + half];
    }
    workgroupBarrier();
  }
  let total = column_partial[lane % COLUMNS];
  workgroupBarrier();
  return total;
}
