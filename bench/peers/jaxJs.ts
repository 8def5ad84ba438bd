/** jax-js (`@jax-js/jax`, MIT) as its documentation recommends it: `jit`, one function per shape, the matrix already on the device. */
import { defaultDevice, init, type Array as JaxArray, jit, numpy } from "@jax-js/jax";
import type { OpenPeers, PeerSolver } from "../../src/cli/bench/contract.ts";

/** The slow device last. */
const DEVICES = ["wasm", "webgpu"] as const;

export const openPeers: OpenPeers = async () => {
  const available = await init(...DEVICES);
  return DEVICES.filter((device) => available.includes(device)).map(solverOn);
};

function solverOn(device: (typeof DEVICES)[number]): PeerSolver {
  return {
    engine: `jax-js ${device}`,
    readsBack: false,
    async prepareEigenvalues(a, n) {
      defaultDevice(device);
      const matrix = numpy.array(Float32Array.from(a)).reshape([n, n]);
      await matrix.blockUntilReady();
      const eigenvalues = jit((x: JaxArray) => numpy.linalg.eigvalsh(x));
      return {
        // Arguments are consumed: `ref` keeps the matrix for the next run.
        run: async () => (await eigenvalues(matrix.ref).data()) as Float32Array,
        release: () => matrix.dispose(),
      };
    },
  };
}
