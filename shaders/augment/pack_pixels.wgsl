// pack_pixels — u8 images of any layout as one u32 per pixel: red, green and blue in its lower three bytes. Done once, at set-up.
//
//   y[i, r, c] = Σ_k pixel(image i, channel k, row r, column c)·2^(8k),  k = 0, 1, 2
//
// Layout    pixels u8 packed four to a u32, little end first, any strides (in bytes; channel_stride 0 repeats a gray channel) ·
//           y u32[count, height, width]
// Dispatch  ⌈count·height·width/WG⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     exact (a copy)
// Backward  not differentiated
// Oracle    test/oracle/augment.ts
// Source    ours: a tap of a resize is then one load in place of three
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params {
  count: u32, height: u32, width: u32,
  image_stride: u32, channel_stride: u32, row_stride: u32, column_stride: u32, pixels_offset: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn load_byte(at: u32) -> u32 {
  return (pixels[at / 4u] >> (8u * (at % 4u))) & 0xffu;
}

@compute @workgroup_size(WG)
fn pack_pixels(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  let area = params.height * params.width;
  if (at < params.count * area) {
    let place = at % area;
    let byte = params.pixels_offset + (at / area) * params.image_stride + (place / params.width) * params.row_stride
      + (place % params.width) * params.column_stride;
    let green = load_byte(byte + params.channel_stride);
    let blue = load_byte(byte + 2u * params.channel_stride);
    y[at] = load_byte(byte) | (green << 8u) | (blue << 16u);
  }
}
