// max_pool — largest value of each window and where it was; entries beyond the edge do not take part.
//
//   y[b, i, j, c] = max x[b, i·stride_y − pad_y + p, j·stride_x − pad_x + q, c]      over the kernel's p, q inside the image
//   position = p·kernel_width + q of the first of them in row order that attains it
//
// Layout    x f32[batch, height, width, 4·quads] as vec4 · y f32[batch, out_height, out_width, 4·quads] as vec4 ·
//           positions u32[batch, out_height, out_width, quads]: four positions of 8 bits
// Dispatch  ⌈batch·out_height·out_width·quads / WG⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     exact; comparisons only. A NaN counts as smaller than what came before it.
// Backward  pool/max_pool_grad.wgsl
// Oracle    test/oracle/pool.ts
// Source    elementary; ties to the first as in PyTorch's CPU kernel
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params {
  batch: u32,
  height: u32,
  width: u32,
  quads: u32,
  out_height: u32,
  out_width: u32,
  kernel_height: u32,
  kernel_width: u32,
  stride_y: u32,
  stride_x: u32,
  pad_y: u32,
  pad_x: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> positions: array<u32>;

@compute @workgroup_size(WG)
fn max_pool(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  let image_items = params.out_height * params.out_width * params.quads;
  if (item < params.batch * image_items) {
    let quad = item % params.quads;
    let pixel = item / params.quads;
    let column = pixel % params.out_width;
    let line = pixel / params.out_width;
    let image = line / params.out_height;
    let top = (line % params.out_height) * params.stride_y;
    let left = column * params.stride_x;
    // Window in the padded image, cut to rows and columns that exist.
    let p_first = max(params.pad_y, top) - top;
    let p_end = min(params.kernel_height, params.height + params.pad_y - top);
    let q_first = max(params.pad_x, left) - left;
    let q_end = min(params.kernel_width, params.width + params.pad_x - left);
    let y0 = top + p_first - params.pad_y;
    let x0 = left + q_first - params.pad_x;
    var largest = x[((image * params.height + y0) * params.width + x0) * params.quads + quad];
    var position = vec4<u32>(p_first * params.kernel_width + q_first);
    for (var p = p_first; p < p_end; p++) {
      let start = (image * params.height + top + p - params.pad_y) * params.width + left;
      for (var q = q_first; q < q_end; q++) {
        let value = x[(start + q - params.pad_x) * params.quads + quad];
        let is_larger = value > largest;
        largest = select(largest, value, is_larger);
        position = select(position, vec4<u32>(p * params.kernel_width + q), is_larger);
      }
    }
    y[item] = largest;
    positions[item] = position.x | (position.y << 8u) | (position.z << 16u) | (position.w << 24u);
  }
}
