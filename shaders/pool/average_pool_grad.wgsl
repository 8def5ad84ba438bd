// average_pool_grad — cotangent of average_pool, gathered: each input entry adds the cotangents of the windows that contain it.
//
//   d_x[b, h, w, c] = (1/(kernel_height·kernel_width)) Σ d_y[b, i, j, c]   over the windows (i, j) that contain (h, w)
//
// Layout    d_y f32[batch, out_height, out_width, 4·quads] as vec4 · d_x f32[batch, height, width, 4·quads] as vec4
// Dispatch  ⌈batch·height·width·quads / WG⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     γ_{k+1}·scale·Σ|d_y|, k = number of windows that contain an entry   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/pool.ts
// Source    elementary
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
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> d_x: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn average_pool_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  let image_items = params.height * params.width * params.quads;
  if (item < params.batch * image_items) {
    let quad = item % params.quads;
    let pixel = item / params.quads;
    let line = pixel / params.width;
    let image = line / params.height;
    // Position in the padded image; windows i with i·stride ≤ it < i·stride + kernel.
    let across = pixel % params.width + params.pad_x;
    let down = line % params.height + params.pad_y;
    let i_first = (max(down + 1u, params.kernel_height) - params.kernel_height + params.stride_y - 1u) / params.stride_y;
    let i_end = min(down / params.stride_y + 1u, params.out_height);
    let j_first = (max(across + 1u, params.kernel_width) - params.kernel_width + params.stride_x - 1u) / params.stride_x;
    let j_end = min(across / params.stride_x + 1u, params.out_width);
    var sum = vec4<f32>();
    for (var i = i_first; i < i_end; i++) {
      for (var j = j_first; j < j_end; j++) {
        sum += d_y[((image * params.out_height + i) * params.out_width + j) * params.quads + quad];
      }
    }
    d_x[item] = params.scale * sum;
  }
}
