// gather_crop — one or two random crops of each selected u8 image, as f32 rows.
//
//   y[v, i, (r·w + s)·C + ch] = scale · pixel(image = indices[i], channel ch, row r + top, column s + left)
//   (top, left) = (⌊bits₀·(H−h+1)/2³²⌋, ⌊bits₁·(W−w+1)/2³²⌋),  bits = threefry(key = (seed, stream), counter = (image, 2·step + v))
//
// Layout    views 1 or 2 (a third would draw the first of the next step) · pixels u8 packed four to a u32, little end first, any
//           strides (in bytes) · indices u32[images] · y f32[views, images, h·w·C], channels last
// Dispatch  ⌈views·images·h·w·C / WG⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     one rounding: |y − exact| ≤ u·|y|, crop origins exact   (u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/data.ts
// Source    two random crops as the two views: Simon et al. 2023, §4.4
//#include "lib/index.wgsl"
//#include "lib/random.wgsl"
override WG: u32 = 64u;
struct Params {
  views: u32, images: u32, channels: u32, crop_height: u32, crop_width: u32,
  height: u32, width: u32,
  image_stride: u32, channel_stride: u32, row_stride: u32, column_stride: u32, pixels_offset: u32,
  seed: u32, stream: u32, step: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn gather_crop(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let features = params.crop_height * params.crop_width * params.channels;
  let at = workgroup_index(group, groups) * WG + lane;
  if (at >= params.views * params.images * features) {
    return;
  }
  let feature = at % features;
  let view = at / (features * params.images);
  let image = indices[(at / features) % params.images];
  let channel = feature % params.channels;
  let column = (feature / params.channels) % params.crop_width;
  let row = feature / (params.channels * params.crop_width);
  let bits = threefry2x32(vec2<u32>(params.seed, params.stream), vec2<u32>(image, 2u * params.step + view));
  let top = multiply_high(bits.x, params.height - params.crop_height + 1u);
  let left = multiply_high(bits.y, params.width - params.crop_width + 1u);
  let byte = params.pixels_offset + image * params.image_stride + channel * params.channel_stride
    + (row + top) * params.row_stride + (column + left) * params.column_stride;
  let value = (pixels[byte / 4u] >> (8u * (byte % 4u))) & 0xffu;
  y[at] = params.scale * f32(value);
}
