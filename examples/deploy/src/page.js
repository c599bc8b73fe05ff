import { createForecaster } from "@espalier/forecaster";

const [model, rows] = await Promise.all([
  fetch("model.safetensors").then((response) => response.arrayBuffer()),
  fetch("rows.json").then((response) => response.json()),
]);
const forecaster = await createForecaster(model);
const { values } = await forecaster.forecast(rows);
document.querySelector("output").value = values.join(" ");
