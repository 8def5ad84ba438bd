// Fixed-tree sum over the WG invocations of a workgroup; the including kernel declares the knob WG (a power of two).
// The order of additions depends on WG alone, so equal inputs give equal bits.

var<workgroup> reduce_scratch: array<f32, WG>;

// Sum of `value` over all invocations, in every invocation. Must be reached by the whole workgroup.
fn workgroup_sum(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half = half / 2u) {
    if (lane < half) {
      reduce_scratch[lane] = reduce_scratch[lane] + reduce_scratch[lane + half];
    }
    workgroupBarrier();
  }
  let total = reduce_scratch[0];
  workgroupBarrier();
  return total;
}
