// average_pool — mean of each window; entries beyond the edge count as zeros. A window of the whole image is global average pooling.
//
//   y[b, i, j, c] = (1/(kernel_height·kernel_width)) Σ x[b, i·stride_y − pad_y + p, j·stride_x − pad_x + q, c]      over p, q inside
//   the image
//
// Layout    x f32[batch, height, width, 4·quads] as vec4 · y f32[batch, out_height, out_width, 4·quads] as vec4
// Dispatch  ⌈batch·out_height·out_width·quads / WG⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     γ_{k+1}·Σ|x|/k', k ≤ k' = kernel_height·kernel_width entries   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  pool/average_pool_grad.wgsl
// Oracle    test/oracle/pool.ts
// Source    elementary; padding as PyTorch's count_include_pad = True
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
  scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn average_pool(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  let image_items = params.out_height * params.out_width * params.quads;
  if (item < params.batch * image_items) {
    let quad = item % params.quads;
    let pixel = item / params.quads;
    let line = pixel / params.out_width;
    let image = line / params.out_height;
    let top = (line % params.out_height) * params.stride_y;
    let left = (pixel % params.out_width) * params.stride_x;
    let p_first = max(params.pad_y, top) - top;
    let p_end = min(params.kernel_height, params.height + params.pad_y - top);
    let q_first = max(params.pad_x, left) - left;
    let q_end = min(params.kernel_width, params.width + params.pad_x - left);
    var sum = vec4<f32>();
    for (var p = p_first; p < p_end; p++) {
      let start = (image * params.height + top + p - params.pad_y) * params.width + left;
      for (var q = q_first; q < q_end; q++) {
        sum += x[(start + q - params.pad_x) * params.quads + quad];
      }
    }
    y[item] = params.scale * sum;
  }
}
