// conv2d_workgroup — Y = epilogue(X ∗ F), as a product of 16·ROWS pixels × K by K × 64 channels per workgroup, tiles in workgroup memory.
//
//   y[n, oh, ow, co] = Σ_{kh, kw, ci} x[n, oh·stride_h + kh − pad_h, ow·stride_w + kw − pad_w, ci] · f[kh, kw, ci, co], zero outside x
//   epilogue: · scale[co] (HAS_SCALE), + bias[co] (HAS_BIAS), + addend[n, oh, ow, co] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    x f32[batch, in_h, in_w, CI] · filter f32[kernel_h, KERNEL_W, CI, co] · scale, bias f32[co] · addend, y f32[batch, out_h, out_w, co];
//           CI and co multiples of 4
// Tile      16·ROWS pixels × 64 channels × 16 of K = (kh, kw, ci) per workgroup of 16 × 16; each invocation ROWS × 4 outputs
// Dispatch  (⌈batch·out_h·out_w/(16·ROWS)⌉, ⌈co/64⌉, 1)
// Knobs     ROWS 4 or 8; CI, KERNEL_W: divisors in the inner loop
// Error     |y − exact| ≤ γ_{K+3}·(|scale|·Σ|x||f| + |bias| + |addend|), K = kernel_h·KERNEL_W·CI   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  conv2d_data_grad_workgroup and conv2d_weight_grad_workgroup, or the register family; the bias by reduce_columns
// Oracle    test/oracle/conv.ts
// Source    implicit matrix product (Chetlur et al. 2014, cuDNN, §3): the tile of the im2col matrix is gathered, never stored
const ROWS: u32 = 4u; //#knob
const CI: u32 = 64u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const HAS_SCALE: bool = false; //#knob
const HAS_BIAS: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
const TILE_M: u32 = 16u * ROWS;
const TILE_K: u32 = 16u;
// Two elements more than a row: the four quads of K that neighbours write then lie in different banks.
const PITCH: u32 = TILE_M + 2u;
struct Params {
  batch: u32, in_h: u32, in_w: u32,
  out_h: u32, out_w: u32, co: u32,
  kernel_h: u32, stride_h: u32, stride_w: u32, pad_h: u32, pad_w: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_taps: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

// [k][pixel] and [k][quad of channels].
var<workgroup> x_tile: array<f32, TILE_K * PITCH>;
var<workgroup> f_tile: array<vec4<f32>, TILE_K * 16u>;

@compute @workgroup_size(16, 16)
fn conv2d_workgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let pixels = params.batch * params.out_h * params.out_w;
  let pixel0 = group.x * TILE_M;
  let co_quads = params.co / 4u;
  let quad0 = group.y * 16u;
  let depth = params.kernel_h * KERNEL_W * CI;

  // Each invocation gathers four consecutive k of the same one or two pixels throughout.
  let gather_quad = lane % 4u;
  var images: array<u32, ROWS / 4u>;
  var tops: array<u32, ROWS / 4u>;
  var lefts: array<u32, ROWS / 4u>;
  for (var i = 0u; i < ROWS / 4u; i++) { //#unroll
    let pixel = pixel0 + lane / 4u + i * 64u;
    let row = pixel / params.out_w;
    let image = row / params.out_h;
    images[i] = image;
    tops[i] = (row - image * params.out_h) * params.stride_h - params.pad_h;
    lefts[i] = (pixel - row * params.out_w) * params.stride_w - params.pad_w;
  }

  var acc: array<vec4<f32>, ROWS>;
  for (var k0 = 0u; k0 < depth; k0 += TILE_K) {
    let k = k0 + gather_quad * 4u;
    let tap = k / CI;
    let kh = tap / KERNEL_W;
    for (var i = 0u; i < ROWS / 4u; i++) { //#unroll
      let ih = tops[i] + kh;
      let iw = lefts[i] + tap - kh * KERNEL_W;
      var value = vec4<f32>(0.0);
      if (k < depth && images[i] < params.batch && ih < params.in_h && iw < params.in_w) {
        value = x[(((images[i] * params.in_h + ih) * params.in_w + iw) * CI + k - tap * CI) / 4u];
      }
      let at = gather_quad * 4u * PITCH + lane / 4u + i * 64u;
      x_tile[at] = value.x;
      x_tile[at + PITCH] = value.y;
      x_tile[at + 2u * PITCH] = value.z;
      x_tile[at + 3u * PITCH] = value.w;
    }
    var taps = vec4<f32>(0.0);
    if (k0 + lane / 16u < depth && quad0 + lane % 16u < co_quads) {
      taps = filter_taps[(k0 + lane / 16u) * co_quads + quad0 + lane % 16u];
    }
    f_tile[lane] = taps;
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      let f_k = f_tile[k * 16u + local.x];
      let at = k * PITCH + local.y * ROWS;
      for (var r = 0u; r < ROWS; r++) { //#unroll
        acc[r] += x_tile[at + r] * f_k;
      }
    }
    workgroupBarrier();
  }
  let quad = quad0 + local.x;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    let pixel = pixel0 + local.y * ROWS + r;
    if (pixel < pixels && quad < co_quads) {
      let at = pixel * co_quads + quad;
      var value = acc[r];
      if (HAS_SCALE) {
        value *= scale[quad];
      }
      if (HAS_BIAS) {
        value += bias[quad];
      }
      if (HAS_ADDEND) {
        value += addend[at];
      }
      if (RELU) {
        value = max(value, vec4<f32>(0.0));
      }
      y[at] = value;
    }
  }
}
