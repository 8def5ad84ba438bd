// The small buffer that drives a replayed step: a kernel advances it, so a replay writes no uniform.
// Twin of src/train/stepState.ts.
struct StepState {
  step: u32,              // updates done so far
  records: u32,           // metric records written so far
  nonfinite_step: u32,    // first step with NaN or infinity in loss or state; 0xffffffff when none
  learning_rate: f32,     // of the current step
}
