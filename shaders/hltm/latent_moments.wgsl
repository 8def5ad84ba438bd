// latent_moments — joint moments of every node's pre-activations with the node's latent, accumulated over dispatches.
//
//   moments[t, k] = (c, Σ(p − c), Σ(p − c)², Σ z(p − c), Σ a, Σ z·a, Σ z, samples),  a = max(p, 0), z the latent of node ⌊k/units⌋
//   c, the first pre-activation, keeps the differences small, so that a variance does not cancel. Sums of 32 rows are added to sums
//   over the dispatch, those to `moments`. A dispatch whose step is a multiple of `dispatches` starts anew.
//
// Layout    p f32[trials, rows, nodes·units] · latents u32[trials, blocks, latents], one bit a row, rows a multiple of 32; the layer's
//           nodes from latent `first` on · moments f32[trials, nodes·units, 8]
// Dispatch  ⌈trials·nodes·units/WG⌉ workgroups, folded into y; one invocation a unit
// Knobs     WG workgroup size
// Error     every sum: γ_k·Σ|terms|, k = 32 + blocks + dispatches + 3   (γ_k = k·u/(1−k·u), u = 2⁻²⁴); counts exact below 2²⁴
// Backward  not differentiated
// Oracle    test/oracle/hltm.ts
// Source    shifted data (Chan, Golub & LeVeque 1983); what luckmatters/ssl/hltm correlates
//#include "lib/index.wgsl"
//#include "lib/step_state.wgsl"
override WG: u32 = 64u;
struct Params { trials: u32, rows: u32, nodes: u32, units: u32, latents: u32, first: u32, dispatches: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: StepState;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> latents: array<u32>;
@group(0) @binding(4) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(WG)
fn latent_moments(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = params.nodes * params.units;
  let item = workgroup_index(group, groups) * WG + lane;
  if (item >= params.trials * width) {
    return;
  }
  let trial = item / width;
  let column = item % width;
  let latent = params.first + column / params.units;
  let blocks = params.rows / 32u;
  let base = trial * params.rows * width + column;
  let out = item * 8u;
  let is_first = state.step % params.dispatches == 0u;
  var center = p[base];
  if (!is_first) {
    center = moments[out];
  }

  // Σ d, Σ d², Σ z·d, Σ a, and Σ z·a apart.
  var total = vec4<f32>(0.0);
  var total_on = 0.0;
  var ones = 0u;
  for (var tile = 0u; tile < blocks; tile++) {
    var word = latents[(trial * blocks + tile) * params.latents + latent];
    ones += countOneBits(word);
    var sums = vec4<f32>(0.0);
    var sums_on = 0.0;
    for (var row = 0u; row < 32u; row++) {
      let value = p[base + (tile * 32u + row) * width];
      let on = f32(word & 1u);
      word = word >> 1u;
      let difference = value - center;
      let active_part = max(value, 0.0);
      sums += vec4<f32>(difference, difference * difference, on * difference, active_part);
      sums_on += on * active_part;
    }
    total += sums;
    total_on += sums_on;
  }
  var before = vec4<f32>(0.0);
  var before_on = 0.0;
  var counts = vec2<f32>(0.0);
  if (!is_first) {
    before = vec4<f32>(moments[out + 1u], moments[out + 2u], moments[out + 3u], moments[out + 4u]);
    before_on = moments[out + 5u];
    counts = vec2<f32>(moments[out + 6u], moments[out + 7u]);
  }
  total += before;
  moments[out] = center;
  moments[out + 1u] = total.x;
  moments[out + 2u] = total.y;
  moments[out + 3u] = total.z;
  moments[out + 4u] = total.w;
  moments[out + 5u] = before_on + total_on;
  moments[out + 6u] = counts.x + f32(ones);
  moments[out + 7u] = counts.y + f32(params.rows);
}
