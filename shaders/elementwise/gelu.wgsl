// gelu — y = x·Φ(x), Φ the normal distribution function (the exact form with erf), or with GRADIENT its cotangent.
//
//   GRADIENT false: y = x·Φ(x)      GRADIENT true: y = d_y·(Φ(x) + x·φ(x))
//
// Layout    x, d_y, y f32[count], read as vec4; buffers padded to 16 bytes
// Dispatch  ⌈count / (4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size; GRADIENT
// Error     |y − exact| ≤ 3u·|x|, with GRADIENT 4u·|d_y| (2.48u and 3.38u measured, test/kernels/gelu.test.ts)   (u = 2⁻²⁴)
// Backward  itself with GRADIENT
// Oracle    test/oracle/gelu.ts
// Source    Hendrycks & Gimpel 2016, Gaussian error linear units
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
override WG: u32 = 64u;
const GRADIENT: bool = false; //#knob
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn gelu(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  if (quad < (params.count + 3u) / 4u) {
    let value = x[quad];
    // (Φ, φ) of each component.
    let a = normal_cdf_pdf(value.x);
    let b = normal_cdf_pdf(value.y);
    let c = normal_cdf_pdf(value.z);
    let d = normal_cdf_pdf(value.w);
    let cdf = vec4<f32>(a.x, b.x, c.x, d.x);
    if (GRADIENT) {
      let pdf = vec4<f32>(a.y, b.y, c.y, d.y);
      y[quad] = d_y[quad] * (cdf + value * pdf);
    } else {
      y[quad] = value * cdf;
    }
  }
}
