// conv2d_weight_grad_batched_subgroup — conv2d_weight_grad_batched, dy loaded once for every four invocations by quad operations.
//
//   df[s, kh, kw, ci, co] = Σ_{(n, oh) in split s} Σ_ow x[n, oh·stride_h + kh − pad_h, ow·STRIDE_W + kw − pad_w, ci] · dy[n, oh, ow, co]
//
// Layout    as conv2d_weight_grad_batched
// Dispatch  as conv2d_weight_grad_batched
// Knobs     as conv2d_weight_grad_batched (PIXELS, ROWS, QUADS, KERNEL_W, STRIDE_W, STEP, EDGE_LEFT, EDGE_RIGHT, WHOLE_ROW, RAGGED); WG a
//           multiple of 4
// Error     as conv2d_weight_grad_batched, and the same bits
// Backward  linear in both operands: conv2d with the cotangent as filter, and its data gradient
// Oracle    test/oracle/conv.ts
// Source    as conv2d_weight_grad_batched; a load of one lane costs as much as a load of four on software adapters
enable subgroups;
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

// Each of four neighbours loads one pixel.
fn pixel_block(first: u32, column: u32, quad: u32, lane: u32) -> mat4x4<f32> {
  let own = pixel(first, column + (lane & 3u), quad);
  return mat4x4<f32>(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}
//#include "lib/conv2d_weight_grad_batched.wgsl"

@compute @workgroup_size(WG)
fn conv2d_weight_grad_batched_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  sum_pixels(group, lane);
}
