/** ml-matrix (MIT): float64 on the CPU by tridiagonalisation and QL, so the matrix is read back from the GPU first. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { EigenvaluesPeer, OpenPeers } from "../../src/cli/bench/peerContract.ts";

export const openPeers: OpenPeers = async () => [{ engine: "ml-matrix, read back", eigenvalues }];

const eigenvalues: EigenvaluesPeer = {
  readsBack: true,
  async prepare(a, n) {
    return {
      run: async (readBack) => {
        const matrix = Matrix.from1DArray(n, n, readBack ?? a);
        return new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues;
      },
      release() {},
    };
  },
};
