// conv2d_weight_grad_batched — partial cotangents of a convolution's filter, one per split of the rows of dy; each invocation all taps of
// one filter row × four input channels × 4·QUADS output channels.
//
//   df[s, kh, kw, ci, co] = Σ_{(n, oh) in split s} Σ_ow x[n, oh·stride_h + kh − pad_h, ow·STRIDE_W + kw − pad_w, ci] · dy[n, oh, ow, co]
//
// Layout    x f32[batch, in_h, in_w, Ci] · d_y f32[batch, out_h, out_w, Co] · d_filter f32[splits, kernel_h, KERNEL_W, Ci, Co];
//           Ci = 4·ci_quads, Co = 4·co_quads; split s has the rows s·split_rows … of the batch·out_h rows of dy
// Dispatch  (⌈kernel_h·ci_quads/WG⌉, ⌈co_quads/QUADS⌉, splits)
// Knobs     WG; ROWS of PIXELS pixels of dy are taken at once; QUADS; KERNEL_W, STRIDE_W; STEP = min(STRIDE_W, KERNEL_W); of a strip's
//           input columns EDGE_LEFT first and EDGE_RIGHT last ones may lie outside x, or with WHOLE_ROW (PIXELS ≥ out_w) do; RAGGED: out_w
//           is no multiple of PIXELS
// Error     |df − exact| ≤ γ_k·Σ|x||dy| for every split, k = number of its pixels   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  linear in both operands: conv2d with the cotangent as filter, and its data gradient
// Oracle    test/oracle/conv.ts
// Source    split-K without atomics: the partial sums are added by conv2d_split_sum in a fixed order
//#include "lib/kept.wgsl"
override WG: u32 = 16u;
const PIXELS: u32 = 8u; //#knob
const ROWS: u32 = 1u; //#knob
const QUADS: u32 = 2u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const STEP: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const WHOLE_ROW: bool = false; //#knob
const RAGGED: bool = false; //#knob
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci_quads: u32,
  out_h: u32, out_w: u32, co_quads: u32,
  kernel_h: u32, stride_h: u32, pad_h: u32, pad_w: u32,
  splits: u32, split_rows: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_filter: array<vec4<f32>>;

// A pixel of the row of dy that begins at `first`; zeros beyond the row.
fn pixel(first: u32, column: u32, quad: u32) -> vec4<f32> {
  let value = d_y[(first + min(column, params.out_w - 1u)) * params.co_quads + quad];
  if (RAGGED) {
    return kept(value, column < params.out_w);
  } else {
    return value;
  }
}

fn pixel_block(first: u32, column: u32, quad: u32, lane: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    pixel(first, column, quad),
    pixel(first, column + 1u, quad),
    pixel(first, column + 2u, quad),
    pixel(first, column + 3u, quad),
  );
}
//#include "lib/conv2d_weight_grad_batched.wgsl"

@compute @workgroup_size(WG)
fn conv2d_weight_grad_batched(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  sum_pixels(group, lane);
}
