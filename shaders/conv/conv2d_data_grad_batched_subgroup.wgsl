// conv2d_data_grad_batched_subgroup — conv2d_data_grad_batched, the filter loaded once for every four images by quad operations.
//
//   dx[n, ih, iw, ci] = Σ_{kh, kw, co} dy[n, oh, ow, co] · f[kh, kw, ci, co], oh·stride_h = ih + pad_h − kh, ow·STRIDE_W = iw + PAD_W − kw,
//   over taps for which oh and ow are whole numbers inside dy; + addend[n, ih, iw, ci] (HAS_ADDEND)
//
// Layout    as conv2d_data_grad_batched
// Dispatch  as conv2d_data_grad_batched
// Knobs     as conv2d_data_grad_batched (PIXELS, QUADS, KERNEL_W, STRIDE_W, PAD_W, EDGE_LEFT, EDGE_RIGHT, WHOLE_ROW, HAS_ADDEND);
//           WG a multiple of 4
// Error     as conv2d_data_grad_batched, and the same bits
// Backward  linear in all operands: conv2d of the cotangent, its weight gradient with d_y, and the cotangent itself
// Oracle    test/oracle/conv.ts
// Source    as conv2d_data_grad_batched; a load of one lane costs as much as a load of four on software adapters
enable subgroups;
//#include "lib/kept.wgsl"
override WG: u32 = 16u;
const PIXELS: u32 = 8u; //#knob
const QUADS: u32 = 2u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const PAD_W: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const WHOLE_ROW: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci_quads: u32,
  out_h: u32, out_w: u32, co_quads: u32,
  kernel_h: u32, stride_h: u32, pad_h: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_taps: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<f32>>;

// Each of four neighbours loads one row.
fn filter_block(at: u32, stride: u32, lane: u32) -> mat4x4<f32> {
  let own = filter_taps[at + (lane & 3u) * stride];
  return mat4x4<f32>(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}
//#include "lib/conv2d_data_grad_batched.wgsl"

@compute @workgroup_size(WG)
fn conv2d_data_grad_batched_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  gather_gradient(group, lane);
}
