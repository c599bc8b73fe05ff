using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .forecaster)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const forecaster :Workerd.Worker = (
  compatibilityDate = "2025-01-01",
  modules = [
    (name = "edge.js", esModule = embed "edge.js"),
    (name = "forward-relaxed.wasm", wasm = embed "forward-relaxed.wasm"),
    (name = "model.safetensors", data = embed "model.safetensors"),
  ],
);
