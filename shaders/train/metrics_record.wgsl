// metrics_record — writes one record of a step into the ring of metrics that the host reads back.
//
//   ring[(records mod capacity)·(1 + d) + …] = loss, spectrum[0], …, spectrum[d − 1];  records ← records + 1
//
// Layout    loss f32[1] · spectrum f32[d] · ring f32[capacity, 1 + d] · state StepState
// Dispatch  (1, 1, 1); one workgroup
// Knobs     WG workgroup size
// Error     exact (a copy)
// Backward  not differentiated
// Oracle    test/oracle/train.ts
// Source    ours
//#include "lib/step_state.wgsl"
override WG: u32 = 64u;
struct Params { d: u32, capacity: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> loss: array<f32>;
@group(0) @binding(2) var<storage, read> spectrum: array<f32>;
@group(0) @binding(3) var<storage, read_write> ring: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: StepState;

@compute @workgroup_size(WG)
fn metrics_record(@builtin(local_invocation_index) lane: u32) {
  let records = state.records;
  let base = (records % params.capacity) * (1u + params.d);
  for (var at = lane; at < params.d; at += WG) {
    ring[base + 1u + at] = spectrum[at];
  }
  // All invocations have read the counter before the first one moves it.
  storageBarrier();
  if (lane == 0u) {
    ring[base] = loss[0];
    state.records = records + 1u;
  }
}
