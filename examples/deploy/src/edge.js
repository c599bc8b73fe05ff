import kernels from "@espalier/backend-wasm/forward-relaxed.wasm";
import { createForecaster } from "@espalier/forecaster";
import model from "./model.safetensors";

let forecaster;

export default {
  async fetch(request) {
    forecaster ??= await createForecaster(model, { module: kernels });
    const { values } = await forecaster.forecast(await request.json());
    return Response.json([...values]);
  },
};
