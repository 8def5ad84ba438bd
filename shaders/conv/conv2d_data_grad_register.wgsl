// conv2d_data_grad_register — cotangent of a convolution's input, each invocation PIXELS neighbours of one input row × 4·QUADS channels.
//
//   dx[n, ih, iw, ci] = Σ_{kh, kw, co} dy[n, oh, ow, co] · f[kh, kw, ci, co], oh·stride_h = ih + pad_h − kh, ow·STRIDE_W = iw + PAD_W − kw,
//   over taps for which oh and ow are whole numbers inside dy; + addend[n, ih, iw, ci] (HAS_ADDEND)
//
// Layout    d_y f32[batch, out_h, out_w, Co] · filter f32[kernel_h, KERNEL_W, Ci, Co] · addend, d_x f32[batch, in_h, in_w, Ci]; Ci = 4·ci_quads,
//           Co = 4·co_quads
// Dispatch  ⌈batch·in_h·⌈in_w/PIXELS⌉·⌈ci_quads/QUADS⌉ / WG⌉, folded
// Knobs     WG; PIXELS (a multiple of STRIDE_W, so that which taps meet which pixel is known when compiling), QUADS: the tile; KERNEL_W,
//           STRIDE_W, PAD_W; of a tile's columns of dy EDGE_LEFT first and EDGE_RIGHT last ones may lie outside in some tile; HAS_ADDEND
// Error     |dx − exact| ≤ γ_{K+1}·(Σ|dy||f| + |addend|), K = kernel_h·KERNEL_W·Co   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  linear in all operands: conv2d of the cotangent, its weight gradient with d_y, and the cotangent itself
// Oracle    test/oracle/conv.ts
// Source    the adjoint of conv2d_register, gathered instead of scattered (Dumoulin & Visin 2016, A guide to convolution arithmetic, §4)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const PIXELS: u32 = 4u; //#knob
const QUADS: u32 = 2u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const PAD_W: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const HAS_ADDEND: bool = false; //#knob
// Pixel p and tap kw meet in column ow = iw0/STRIDE_W + (p + PAD_W − kw)/STRIDE_W; SHIFT keeps the numerator positive.
const SHIFT: u32 = PAD_W + STRIDE_W * KERNEL_W;
const FIRST: u32 = (SHIFT - KERNEL_W + STRIDE_W) / STRIDE_W;
const COLUMNS: u32 = (PIXELS - 1u + SHIFT) / STRIDE_W - FIRST + 1u;
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

@compute @workgroup_size(WG)
fn conv2d_data_grad_register(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  let channel_tiles = (params.ci_quads + QUADS - 1u) / QUADS;
  let column_tiles = (params.in_w + PIXELS - 1u) / PIXELS;
  let tile = item / channel_tiles;
  if (tile >= params.batch * params.in_h * column_tiles) {
    return;
  }
  let quad0 = (item - tile * channel_tiles) * QUADS;
  let row = tile / column_tiles;
  let iw0 = (tile - row * column_tiles) * PIXELS;
  let image = row / params.in_h;
  // Column of dy of the tile's first entry; wraps below zero at the left edge.
  let left = iw0 / STRIDE_W + FIRST - KERNEL_W;
  // Taps kh = reach − oh·stride_h for rows oh of dy.
  let reach = row - image * params.in_h + params.pad_h;
  let lowest = (params.out_h - 1u) * params.stride_h;
  let kh_begin = select(reach % params.stride_h, reach - lowest, reach > lowest);
  let kh_end = min(params.kernel_h, reach + 1u);

  var acc: array<vec4<f32>, PIXELS * QUADS>;
  for (var kh = kh_begin; kh < kh_end; kh += params.stride_h) {
    let y_row = (image * params.out_h + (reach - kh) / params.stride_h) * params.out_w + left;
    for (var c = 0u; c < params.co_quads; c++) {
      var taps: array<vec4<f32>, COLUMNS>;
      for (var j = 0u; j < COLUMNS; j++) { //#unroll
        let at = (y_row + j) * params.co_quads + c;
        if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {
          let is_inside = left + j < params.out_w;
          taps[j] = select(vec4<f32>(0.0), d_y[select(0u, at, is_inside)], is_inside);
        } else {
          taps[j] = d_y[at];
        }
      }
      for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
        let f_at = (kh * KERNEL_W + kw) * params.ci_quads;
        for (var q = 0u; q < QUADS; q++) { //#unroll
          // Four channels of x by four of y, transposed in registers. Channels beyond the last repeat it and are not stored.
          let at = (f_at + min(quad0 + q, params.ci_quads - 1u)) * 4u * params.co_quads + c;
          let g0 = filter_taps[at];
          let g1 = filter_taps[at + params.co_quads];
          let g2 = filter_taps[at + 2u * params.co_quads];
          let g3 = filter_taps[at + 3u * params.co_quads];
          let f0 = vec4<f32>(g0.x, g1.x, g2.x, g3.x);
          let f1 = vec4<f32>(g0.y, g1.y, g2.y, g3.y);
          let f2 = vec4<f32>(g0.z, g1.z, g2.z, g3.z);
          let f3 = vec4<f32>(g0.w, g1.w, g2.w, g3.w);
          for (var p = 0u; p < PIXELS; p++) { //#unroll
            if ((p + SHIFT - kw) % STRIDE_W == 0u) {
              acc[p * QUADS + q] = acc[p * QUADS + q]
                + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].x * f0
                + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].y * f1
                + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].z * f2
                + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].w * f3;
            }
          }
        }
      }
    }
  }
  for (var p = 0u; p < PIXELS; p++) { //#unroll
    for (var q = 0u; q < QUADS; q++) { //#unroll
      if (iw0 + p < params.in_w && quad0 + q < params.ci_quads) {
        let at = (row * params.in_w + iw0 + p) * params.ci_quads + quad0 + q;
        var value = acc[p * QUADS + q];
        if (HAS_ADDEND) {
          value += addend[at];
        }
        d_x[at] = value;
      }
    }
  }
}
