// random_fill — counter-based random numbers: element i depends on (seed, stream, i) alone, whatever the grid.
//
//   NORMAL false: y[i] = offset + scale·U,  U uniform on (0, 1), an odd multiple of 2⁻²⁴
//   NORMAL true:  y[i] = offset + scale·Z,  Z standard normal by Box–Muller: two per counter, r·cos for even i and r·sin for odd i
//
// Layout    y f32[count], from element y_offset of its buffer
// Dispatch  ⌈count/(2·WG)⌉ workgroups, folded into y; an invocation makes elements 2c and 2c + 1 from counter c
// Knobs     WG workgroup size
// Error     uniform: U exact, then γ_2·(|offset| + |scale·U|); normal: |Z − exact| ≤ 2⁻²⁰·(1 + |Z|) for the same bits
// Backward  not differentiated
// Oracle    test/oracle/random.ts
// Source    Salmon et al. 2011 (threefry2x32-20); Box & Muller 1958
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
//#include "lib/random.wgsl"
override WG: u32 = 64u;
const NORMAL: bool = true; //#knob
struct Params { count: u32, y_offset: u32, seed: u32, stream: u32, scale: f32, offset: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn random_fill(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let counter = workgroup_index(group, groups) * WG + lane;
  let bits = threefry2x32(vec2<u32>(params.seed, params.stream), vec2<u32>(counter, 0u));
  var pair = vec2<f32>(uniform01(bits.x), uniform01(bits.y));
  if (NORMAL) {
    let radius = sqrt(-2.0 * natural_log(pair.x));
    pair = radius * cos_sin_turns(pair.y);
  }
  let at = counter * 2u;
  if (at < params.count) {
    y[params.y_offset + at] = params.offset + params.scale * pair.x;
  }
  if (at + 1u < params.count) {
    y[params.y_offset + at + 1u] = params.offset + params.scale * pair.y;
  }
}
