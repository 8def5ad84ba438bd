/**
 * jax-js (`@jax-js/jax`, MIT) as its documentation recommends it: `jit`, one function per shape, operands already on the device, arguments
 * that are used again passed by `.ref`.
 */
import { defaultDevice, init, type Array as JaxArray, jit, numpy } from "@jax-js/jax";
import type { EigenvaluesPeer, OpenPeers, Peer } from "../../src/cli/bench/peerContract.ts";
import { prepareConv, prepareMatmul } from "./jaxJsProducts.ts";
import { prepareStep } from "./jaxJsStep.ts";

/** The slow device last. */
const DEVICES = ["wasm", "webgpu"] as const;
type Device = (typeof DEVICES)[number];

export const openPeers: OpenPeers = async () => {
  const available = await init(...DEVICES);
  return DEVICES.filter((device) => available.includes(device)).map(peerOn);
};

/** Eigenvalues on both devices; training and its products on WebGPU, which is far faster there. */
function peerOn(device: Device): Peer {
  const on =
    <Work, Prepared>(prepare: (work: Work) => Promise<Prepared>) =>
    (work: Work) => {
      defaultDevice(device);
      return prepare(work);
    };
  const products = { matmul: on(prepareMatmul), conv: on(prepareConv), step: on(prepareStep) };
  return { engine: `jax-js ${device}`, eigenvalues: eigenvaluesOn(device), ...(device === "webgpu" ? products : {}) };
}

function eigenvaluesOn(device: Device): EigenvaluesPeer {
  return {
    readsBack: false,
    async prepare(a, n) {
      defaultDevice(device);
      const matrix = numpy.array(Float32Array.from(a)).reshape([n, n]);
      await matrix.blockUntilReady();
      const eigenvalues = jit((x: JaxArray) => numpy.linalg.eigvalsh(x));
      return {
        run: async () => (await eigenvalues(matrix.ref).data()) as Float32Array,
        release: () => matrix.dispose(),
      };
    },
  };
}
