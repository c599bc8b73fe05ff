import { createForecaster } from "@espalier/forecaster";

const ready = fetch("model.safetensors")
  .then((response) => response.arrayBuffer())
  .then((model) => createForecaster(model));

addEventListener("message", async ({ data: rows }) => {
  const forecaster = await ready;
  const { values } = await forecaster.forecast(rows);
  postMessage(values);
});
