import { readFile } from "node:fs/promises";
import { createForecaster } from "@espalier/forecaster";

const [model, rows] = process.argv.slice(2);
const forecaster = await createForecaster(await readFile(model));
const { values } = await forecaster.forecast(JSON.parse(await readFile(rows, "utf8")));
console.log(JSON.stringify([...values]));
