// The data layer: readers of fixed formats, synthetic generators, counter-based random numbers. No GPU, no Node.

export * from "./biasDemos.ts";
export { type ByteSource, type DataFolder, memoryFolder, memorySource } from "./byteSource.ts";
export { CIFAR10_CLASSES, readCifar10 } from "./cifar.ts";
export { type CropDraw, cropOrigin, mulhi } from "./crop.ts";
export { type HttpFolderOptions, type HttpOptions, httpFolder, httpSource } from "./httpFiles.ts";
export { readIdx, readMnist } from "./idx.ts";
export { type ImageReadOptions, type ImageSet, type PixelLayout, pixelAt, sha256Hex } from "./imageSet.ts";
export {
  heldImageFile,
  type ImageFile,
  planStream,
  type StreamOptions,
  type StreamPlan,
  type StreamWindow,
  windowAt,
} from "./imageStream.ts";
export {
  encodeNpy,
  type Float32Conversion,
  type MatrixF32,
  type NpyArray,
  type NpyData,
  type NpyDtype,
  parseNpy,
  readMatrixF32,
  readNpy,
  toFloat32,
} from "./npy.ts";
export { CounterRandom, MAX_SEED, RandomStream, threefry2x32, uniform01 } from "./random.ts";
export { resizeImages } from "./resize.ts";
export {
  encodeSafetensors,
  parseSafetensors,
  type Safetensor,
  type SafetensorData,
  type SafetensorsFile,
} from "./safetensors.ts";
export { openStl10, readStl10, STL10_CLASSES, type Stl10Options, type Stl10Split, stl10Chunks } from "./stl10.ts";
export {
  type GaussianPairs,
  type GaussianPairsOptions,
  gaussianPairs,
  gaussianPairs64,
} from "./syntheticSpectrum.ts";
export {
  asymmetricConditionals,
  type EdgeConditionals,
  symmetricConditionals,
  type TreePolaritiesOptions,
  treePolarities,
} from "./treePolarities.ts";
