// gaussian_blur — one pass of the separable blur of augmented images, along rows or (VERTICAL) columns; the last finishes the image.
//
//   y[p] = w₀·x[p] + Σ_{k=1…taps} w_k·(x[p − k] + x[p + k]),  reflected at the edges without repeating the edge pixel
//   VERTICAL: then solarised (y ≥ threshold → 1 − y) and (y − mean)·inverse_std by channel
//
// Layout    x, y vec4[images, h, w], fourth channel 0 · draws f32[images, record] of augment_draw; taps below the side
// Dispatch  ⌈images·h·w/WG⌉ workgroups, folded into y
// Knobs     WG workgroup size · VERTICAL
// Error     |y − exact| ≤ γ_{taps + 3}·Σ w|x| given the weights; finishing two roundings more
// Backward  not differentiated
// Oracle    test/oracle/augment.ts
// Source    torchvision's transforms.functional.gaussian_blur (reflect padding)
//#include "lib/index.wgsl"
//#include "lib/augment_record.wgsl"
override WG: u32 = 64u;
const VERTICAL: bool = false; //#knob
struct Params {
  images: u32, height: u32, width: u32, record: u32,
  mean_r: f32, mean_g: f32, mean_b: f32,
  inverse_std_r: f32, inverse_std_g: f32, inverse_std_b: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> draws: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn gaussian_blur(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  let pixels = params.height * params.width;
  if (at >= params.images * pixels) {
    return;
  }
  let draw = (at / pixels) * params.record;
  let place = i32(select(at % params.width, (at / params.width) % params.height, VERTICAL));
  let stride = select(1u, params.width, VERTICAL);
  let last = i32(select(params.width, params.height, VERTICAL)) - 1;
  let start = at - u32(place) * stride;
  var color = draws[draw + DRAW_WEIGHTS] * x[at];
  let taps = i32(draws[draw + DRAW_TAPS]);
  for (var k = 1; k <= taps; k++) {
    let before = abs(place - k);
    let after = last - abs(last - place - k);
    color += draws[draw + DRAW_WEIGHTS + u32(k)] * (x[start + u32(before) * stride] + x[start + u32(after) * stride]);
  }
  if (VERTICAL) {
    let threshold = draws[draw + DRAW_SOLARIZE];
    let solarized = select(color.xyz, 1.0 - color.xyz, color.xyz >= vec3<f32>(threshold));
    let mean = vec3<f32>(params.mean_r, params.mean_g, params.mean_b);
    let inverse_std = vec3<f32>(params.inverse_std_r, params.inverse_std_g, params.inverse_std_b);
    color = vec4<f32>((solarized - mean) * inverse_std, 0.0);
  }
  y[at] = color;
}
