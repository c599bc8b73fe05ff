/** Replaces a file by a model, for a test that lets no file grow as large, and prints what went wrong. */
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { saveModel } from "@espalier/formats/node";

process.on("SIGXFSZ", () => {});
const model = modelOf(drawEncoder({ width: 64, heads: 2, feedForward: 64 }));
try {
  await saveModel(process.argv[2]!, model, { force: true });
  console.log("saved");
} catch (error) {
  console.log((error as Error).message);
}
