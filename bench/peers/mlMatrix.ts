/** ml-matrix (MIT): float64 on the CPU by tridiagonalisation and QL, so the matrix is read back from the GPU first. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { OpenPeers } from "../../src/cli/bench/contract.ts";

export const openPeers: OpenPeers = async () => [
  {
    engine: "ml-matrix, read back",
    readsBack: true,
    async prepareEigenvalues(a, n) {
      return {
        run: async (readBack) => {
          const matrix = Matrix.from1DArray(n, n, readBack ?? a);
          return new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues;
        },
        release() {},
      };
    },
  },
];
