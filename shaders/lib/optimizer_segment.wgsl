// What the optimiser's kernels know of a segment of the flat parameter buffer. Twin of src/optim/segments.ts.
struct OptimizerSegment {
  rate_factor: f32,     // learning rate = rate_factor·(scheduled rate) + fixed_rate
  fixed_rate: f32,
  weight_decay: f32,
  adapts: u32,          // 1 when LARS scales it
  first_chunk: u32,     // its part of the chunks that segment_norms sums over
  chunk_count: u32,
  padding_0: u32,
  padding_1: u32,
}
