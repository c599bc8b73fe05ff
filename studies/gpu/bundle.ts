import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** Puts the program of the GPU machine and all it needs into a folder; only Dawn's addon stays outside. */
export async function bundleProgram(folder: string): Promise<void> {
  const bundle = await rolldown({
    input: { main: fileURLToPath(new URL("main.ts", import.meta.url)) },
    platform: "node",
    resolve: { conditionNames: ["@espalier/source", "node"] },
    external: ["webgpu"],
    logLevel: "silent",
  });
  try {
    await bundle.write({
      dir: folder,
      format: "esm",
      entryFileNames: "[name].mjs",
      chunkFileNames: "[name]-[hash].mjs",
      minify: true,
    });
  } finally {
    await bundle.close();
  }
}
