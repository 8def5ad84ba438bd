// conv2d_data_grad_workgroup — cotangent of a convolution's input, tiles in workgroup memory; one product per phase of the strides.
//
//   dx[n, ih, iw, ci] = Σ_{kh, kw, co} dy[n, oh, ow, co] · f[kh, kw, ci, co], oh·STRIDE_H = ih + pad_h − kh, ow·STRIDE_W = iw + pad_w − kw,
//   over taps for which oh and ow are whole numbers inside dy; + addend[n, ih, iw, ci] (HAS_ADDEND). All pixels with the same (ih mod STRIDE_H, iw mod STRIDE_W) meet the same
//   taps: a phase is a dense product and no multiplication by a structural zero is done.
//
// Layout    d_y f32[batch, out_h, out_w, CO] · filter f32[kernel_h, kernel_w, ci, CO] · addend, d_x f32[batch, in_h, in_w, ci]; ci, CO multiples of 4
// Tile      16·ROWS pixels of a phase × 64 channels × 16 of K = (taps of the phase, co) per workgroup of 16 × 16; each invocation ROWS × 4
// Dispatch  (⌈batch·⌈in_h/STRIDE_H⌉·⌈in_w/STRIDE_W⌉/(16·ROWS)⌉, ⌈ci/64⌉, STRIDE_H·STRIDE_W)
// Knobs     ROWS 4 or 8; CO, STRIDE_H, STRIDE_W, HAS_ADDEND
// Error     |dx − exact| ≤ γ_{K+1}·(Σ|dy||f| + |addend|), K = kernel_h·kernel_w·CO   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  linear in all operands: conv2d of the cotangent, its weight gradient with d_y, and the cotangent itself
// Oracle    test/oracle/conv.ts
// Source    implicit matrix product as conv2d_workgroup; phases: Dumoulin & Visin 2016, A guide to convolution arithmetic, §4.6
const ROWS: u32 = 4u; //#knob
const CO: u32 = 64u; //#knob
const STRIDE_H: u32 = 1u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const HAS_ADDEND: bool = false; //#knob
const TILE_M: u32 = 16u * ROWS;
const TILE_K: u32 = 16u;
// Two elements more than a row: the four quads of K that neighbours write then lie in different banks.
const Y_PITCH: u32 = TILE_M + 2u;
const F_PITCH: u32 = 66u;
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci: u32,
  out_h: u32, out_w: u32,
  kernel_h: u32, kernel_w: u32, pad_h: u32, pad_w: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_taps: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<f32>>;

// [k][pixel] and [k][channel].
var<workgroup> y_tile: array<f32, TILE_K * Y_PITCH>;
var<workgroup> f_tile: array<f32, TILE_K * F_PITCH>;

// Entries first, first + step, … below count.
fn entries(count: u32, first: u32, step: u32) -> u32 {
  return select(0u, (count - first + step - 1u) / step, first < count);
}

@compute @workgroup_size(16, 16)
fn conv2d_data_grad_workgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Pixels of this phase: rows phase_h, phase_h + STRIDE_H, …; taps: kh_first, kh_first + STRIDE_H, …
  let phase_h = group.z / STRIDE_W;
  let phase_w = group.z % STRIDE_W;
  let height = entries(params.in_h, phase_h, STRIDE_H);
  let width = entries(params.in_w, phase_w, STRIDE_W);
  let kh_first = (phase_h + params.pad_h) % STRIDE_H;
  let kw_first = (phase_w + params.pad_w) % STRIDE_W;
  let taps_w = entries(params.kernel_w, kw_first, STRIDE_W);
  let taps = entries(params.kernel_h, kh_first, STRIDE_H) * taps_w;
  let depth = taps * CO;
  let pixels = params.batch * height * width;
  let pixel0 = group.x * TILE_M;
  let ci_quads = params.ci / 4u;
  let channel0 = group.y * 64u;

  // Each invocation gathers four consecutive k of the same one or two pixels and of one channel throughout.
  let gather_quad = lane % 4u;
  let channel = channel0 + lane / 4u;
  var images: array<u32, ROWS / 4u>;
  var bottoms: array<u32, ROWS / 4u>;
  var rights: array<u32, ROWS / 4u>;
  for (var i = 0u; i < ROWS / 4u; i++) { //#unroll
    let pixel = pixel0 + lane / 4u + i * 64u;
    // An empty phase has no pixels; its divisors are kept from zero.
    let row = pixel / max(width, 1u);
    let image = row / max(height, 1u);
    images[i] = image;
    bottoms[i] = (phase_h + params.pad_h) / STRIDE_H + row - image * height;
    rights[i] = (phase_w + params.pad_w) / STRIDE_W + pixel - row * width;
  }

  var acc: array<vec4<f32>, ROWS>;
  for (var k0 = 0u; k0 < depth; k0 += TILE_K) {
    let k = k0 + gather_quad * 4u;
    let tap = k / CO;
    let co = k - tap * CO;
    let tap_h = tap / max(taps_w, 1u);
    let tap_w = tap - tap_h * taps_w;
    for (var i = 0u; i < ROWS / 4u; i++) { //#unroll
      let oh = bottoms[i] - tap_h;
      let ow = rights[i] - tap_w;
      var value = vec4<f32>(0.0);
      if (k < depth && images[i] < params.batch && oh < params.out_h && ow < params.out_w) {
        value = d_y[(((images[i] * params.out_h + oh) * params.out_w + ow) * CO + co) / 4u];
      }
      let at = gather_quad * 4u * Y_PITCH + lane / 4u + i * 64u;
      y_tile[at] = value.x;
      y_tile[at + Y_PITCH] = value.y;
      y_tile[at + 2u * Y_PITCH] = value.z;
      y_tile[at + 3u * Y_PITCH] = value.w;
    }
    var weights = vec4<f32>(0.0);
    if (k < depth && channel < params.ci) {
      let kh = kh_first + tap_h * STRIDE_H;
      let kw = kw_first + tap_w * STRIDE_W;
      weights = filter_taps[(((kh * params.kernel_w + kw) * params.ci + channel) * CO + co) / 4u];
    }
    let at = gather_quad * 4u * F_PITCH + lane / 4u;
    f_tile[at] = weights.x;
    f_tile[at + F_PITCH] = weights.y;
    f_tile[at + 2u * F_PITCH] = weights.z;
    f_tile[at + 3u * F_PITCH] = weights.w;
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      let ft = k * F_PITCH + local.x * 4u;
      let f_k = vec4<f32>(f_tile[ft], f_tile[ft + 1u], f_tile[ft + 2u], f_tile[ft + 3u]);
      let yt = k * Y_PITCH + local.y * ROWS;
      for (var r = 0u; r < ROWS; r++) { //#unroll
        acc[r] += y_tile[yt + r] * f_k;
      }
    }
    workgroupBarrier();
  }
  let quad = channel0 / 4u + local.x;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    let pixel = pixel0 + local.y * ROWS + r;
    if (pixel < pixels && quad < ci_quads) {
      let row = pixel / width;
      let image = row / height;
      let ih = phase_h + (row - image * height) * STRIDE_H;
      let iw = phase_w + (pixel - row * width) * STRIDE_W;
      let at = ((image * params.in_h + ih) * params.in_w + iw) * ci_quads + quad;
      var value = acc[r];
      if (HAS_ADDEND) {
        value += addend[at];
      }
      d_x[at] = value;
    }
  }
}
