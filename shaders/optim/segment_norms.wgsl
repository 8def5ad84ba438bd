// segment_norms — squared norms of parameters and gradients by chunks of segments: the first of two stages, optimizer_factors the second.
//
//   partial[c] = (Σ p², Σ g²) over the chunk's elements;  NORM_OF_SUM: (Σ p², Σ (g + decay·p)²), decay of the chunk's segment
//
// Layout    chunks u32[chunks, 4]: first element (a multiple of 4), elements, segment, 0; a chunk lies in one segment, so the gaps
//           between segments are never read into a sum · segments as in optimizer_factors · parameters, gradients f32 as vec4
// Dispatch  one workgroup per chunk, folded into y
// Knobs     WG power of two · NORM_OF_SUM
// Error     relative γ_k of each sum (all terms ≥ 0), k = ⌈elements/(4·WG)⌉ + log2 WG + 5   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/optimisers.ts
// Source    Higham 2002, §4.2
//#include "lib/index.wgsl"
//#include "lib/reduce.wgsl"
//#include "lib/optimizer_segment.wgsl"
override WG: u32 = 64u;
const NORM_OF_SUM: bool = false; //#knob
struct Params { chunks: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> chunks: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> segments: array<OptimizerSegment>;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partials: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn segment_norms(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk_index = workgroup_index(group, groups);
  if (chunk_index >= params.chunks) {
    return;
  }
  let chunk = chunks[chunk_index];
  let decay = select(0.0, segments[chunk.z].weight_decay, NORM_OF_SUM);
  var sums = vec2<f32>();
  for (var quad = lane; quad < (chunk.y + 3u) / 4u; quad += WG) {
    let at = chunk.x / 4u + quad;
    let is_inside = vec4<u32>(0u, 1u, 2u, 3u) + 4u * quad < vec4<u32>(chunk.y);
    let p = select(vec4<f32>(), parameters[at], is_inside);
    let g = select(vec4<f32>(), gradients[at], is_inside) + decay * p;
    sums += vec2<f32>(dot(p, p), dot(g, g));
  }
  let p_squared = workgroup_sum(sums.x, lane);
  let g_squared = workgroup_sum(sums.y, lane);
  if (lane == 0u) {
    partials[chunk_index] = vec2<f32>(p_squared, g_squared);
  }
}
