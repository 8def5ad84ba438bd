// conv2d_data_grad_batched — cotangent of a convolution's input, each workgroup PIXELS neighbours of an input row × 4·QUADS channels of WG
// images.
//
//   dx[n, ih, iw, ci] = Σ_{kh, kw, co} dy[n, oh, ow, co] · f[kh, kw, ci, co], oh·stride_h = ih + pad_h − kh, ow·STRIDE_W = iw + PAD_W − kw,
//   over taps for which oh and ow are whole numbers inside dy; + addend[n, ih, iw, ci] (HAS_ADDEND)
//
// Layout    d_y f32[batch, out_h, out_w, Co] · filter f32[kernel_h, KERNEL_W, Ci, Co] · addend, d_x f32[batch, in_h, in_w, Ci]; Ci = 4·ci_quads,
//           Co = 4·co_quads
// Dispatch  (⌈ci_quads/QUADS⌉, in_h·⌈in_w/PIXELS⌉, ⌈batch/WG⌉); an invocation has an image, so that rows, padding and taps are those of the
//           workgroup
// Knobs     WG; PIXELS (a multiple of STRIDE_W, so that which taps meet which pixel is known when compiling), QUADS: the tile; KERNEL_W,
//           STRIDE_W, PAD_W; of a tile's columns of dy EDGE_LEFT first and EDGE_RIGHT last ones may lie outside in some tile, or with
//           WHOLE_ROW (PIXELS ≥ in_w) do; HAS_ADDEND
// Error     |dx − exact| ≤ γ_{K+1}·(Σ|dy||f| + |addend|), K = kernel_h·KERNEL_W·Co   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  linear in all operands: conv2d of the cotangent, its weight gradient with d_y, and the cotangent itself
// Oracle    test/oracle/conv.ts
// Source    the adjoint of conv2d_batched, gathered instead of scattered (Dumoulin & Visin 2016, A guide to convolution arithmetic, §4)
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

fn filter_block(at: u32, stride: u32, lane: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    filter_taps[at],
    filter_taps[at + stride],
    filter_taps[at + 2u * stride],
    filter_taps[at + 3u * stride],
  );
}
//#include "lib/conv2d_data_grad_batched.wgsl"

@compute @workgroup_size(WG)
fn conv2d_data_grad_batched(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  gather_gradient(group, lane);
}
