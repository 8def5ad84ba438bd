/** A quick proof that this adapter computes what it should: one matrix product against plain loops. For `eigenstep info`. */
import type { Engine } from "../../device/engine.ts";
import { matmulRegister } from "../../kernels/library.ts";
import { runKernel } from "../../kernels/runKernel.ts";
import type { SelfCheck } from "../runtimes/runtime.ts";

const [M, N, K] = [37, 29, 23];

/** Small integers: every product and sum is exact in f32, so the comparison is exact. */
export async function selfCheck(engine: Engine): Promise<SelfCheck> {
  const a = Float32Array.from({ length: M * K }, (_, i) => ((i * 7) % 13) - 6);
  const b = Float32Array.from({ length: K * N }, (_, i) => ((i * 5) % 11) - 5);
  const { y } = await runKernel(engine, matmulRegister, {
    buffers: { a, b, bias: new Float32Array(4), addend: new Float32Array(4), y: new Float32Array(M * N) },
    params: { batch: 1, m: M, n: N, k: K, lda: K, ldb: N, ldy: N, scale: 1, ...ZERO_OFFSETS },
    read: ["y"],
  });
  let wrong = 0;
  for (let i = 0; i < M; i++) {
    for (let j = 0; j < N; j++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += (a[i * K + k] ?? 0) * (b[k * N + j] ?? 0);
      if (y?.[i * N + j] !== sum) wrong++;
    }
  }
  return {
    ok: wrong === 0,
    message:
      wrong === 0 ? `matmul ${M}×${K}×${N} exact` : `matmul ${M}×${K}×${N}: ${wrong} of ${M * N} entries are wrong`,
  };
}

const ZERO_OFFSETS = {
  a_offset: 0,
  b_offset: 0,
  y_offset: 0,
  addend_offset: 0,
  bias_offset: 0,
  a_batch_stride: 0,
  b_batch_stride: 0,
  y_batch_stride: 0,
};
