import { createForecaster } from "@espalier/forecaster";

let ready;

async function open() {
  const response = await fetch("model.safetensors");
  return createForecaster(await response.arrayBuffer());
}

async function answer(request) {
  ready ??= open();
  const forecaster = await ready;
  const { values } = await forecaster.forecast(await request.json());
  return Response.json([...values]);
}

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (new URL(event.request.url).pathname.endsWith("/forecast")) event.respondWith(answer(event.request));
});
