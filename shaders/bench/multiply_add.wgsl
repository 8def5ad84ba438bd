// multiply_add — CHAINS independent recurrences of fused multiply-adds on vec4, from registers alone: the adapter's arithmetic ceiling.
//
//   x_c ← start + i + c,  then 4·rounds times x_c ← factor·x_c + shift;  y[i] = Σ_c x_c,  c = 0 … CHAINS − 1, invocation i
//
// Layout    y f32[groups·WG, 4] as vec4, all four components equal
// Dispatch  (groups, 1, 1)
// Knobs     CHAINS (independent chains hide the latency of one), WG workgroup size
// Error     |y − exact| ≤ γ_k·Σ_c (|start + i + c| + |shift|/(1 − |factor|)), k = CHAINS + 1 + ⌈2/(1 − |factor|)⌉, for |factor| < 1: two
//           roundings a step, which later steps shrink by factor   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  none
// Oracle    test/oracle/multiplyAdd.ts
// Source    peak rates as in Volkov 2010, Better performance at lower occupancy; 8 floating-point operations per fma on vec4
override WG: u32 = 64u;
const CHAINS: u32 = 8u; //#knob
struct Params { groups: u32, rounds: u32, factor: f32, shift: f32, start: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = vec4<f32>(params.factor);
  let shift = vec4<f32>(params.shift);
  var x: array<vec4<f32>, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) { //#unroll
    x[c] = vec4<f32>(params.start + f32(id.x + c));
  }
  for (var r = 0u; r < params.rounds; r++) {
    for (var step = 0u; step < 4u; step++) { //#unroll
      for (var c = 0u; c < CHAINS; c++) { //#unroll
        x[c] = fma(factor, x[c], shift);
      }
    }
  }
  var sum = vec4<f32>(0.0);
  for (var c = 0u; c < CHAINS; c++) { //#unroll
    sum += x[c];
  }
  y[id.x] = sum;
}
