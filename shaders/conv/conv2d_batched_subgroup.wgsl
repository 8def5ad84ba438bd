// conv2d_batched_subgroup — conv2d_batched, the filter loaded once for every four images by quad operations.
//
//   y[n, oh, ow, co] = Σ_{kh, kw, ci} x[n, oh·stride_h + kh − pad_h, ow·STRIDE_W + kw − pad_w, ci] · f[kh, kw, ci, co], zero outside x
//   epilogue: · scale[co] (HAS_SCALE), + bias[co] (HAS_BIAS), + addend[n, oh, ow, co] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    as conv2d_batched
// Dispatch  as conv2d_batched
// Knobs     as conv2d_batched (PIXELS, QUADS, KERNEL_W, STRIDE_W, STEP, EDGE_LEFT, EDGE_RIGHT, WHOLE_ROW, HAS_SCALE, HAS_BIAS, HAS_ADDEND, RELU);
//           WG a multiple of 4
// Error     as conv2d_batched, and the same bits
// Backward  conv2d_data_grad_batched_subgroup and conv2d_weight_grad_subgroup
// Oracle    test/oracle/conv.ts
// Source    as conv2d_batched; a load of one lane costs as much as a load of four on software adapters
enable subgroups;
//#include "lib/kept.wgsl"
override WG: u32 = 16u;
const PIXELS: u32 = 8u; //#knob
const QUADS: u32 = 2u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const STEP: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const WHOLE_ROW: bool = false; //#knob
const HAS_SCALE: bool = false; //#knob
const HAS_BIAS: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci_quads: u32,
  out_h: u32, out_w: u32, co_quads: u32,
  kernel_h: u32, stride_h: u32, pad_h: u32, pad_w: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_taps: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

// Each of four neighbours loads one row.
fn filter_block(at: u32, stride: u32, lane: u32) -> mat4x4<f32> {
  let own = filter_taps[at + (lane & 3u) * stride];
  return mat4x4<f32>(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}

//#include "lib/conv2d_batched.wgsl"

@compute @workgroup_size(WG)
fn conv2d_batched_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  convolve(group, lane);
}
