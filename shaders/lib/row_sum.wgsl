// Sum over the LANES adjacent invocations that share a row; the including kernel declares the knobs WG and LANES (powers of two,
// LANES <= WG). With LANES 1 nothing is shared and there is no barrier. A fixed tree: equal inputs give equal bits. No bindings.

var<workgroup> row_partial: array<vec4<f32>, WG>;

// Must be reached by the whole workgroup; the sum is in every invocation of the row.
fn row_sum(value: vec4<f32>, lane: u32) -> vec4<f32> {
  if (LANES > 1u) {
    row_partial[lane] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
      if (lane % LANES < half) {
        row_partial[lane] = row_partial[lane] + row_partial[lane + half];
      }
      workgroupBarrier();
    }
    let total = row_partial[lane - lane % LANES];
    workgroupBarrier();
    return total;
  } else {
    return value;
  }
}
