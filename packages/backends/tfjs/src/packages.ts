import { EspalierError } from "@espalier/core";

/**
 * The packages of TensorFlow.js, which users install themselves: with their dependencies they take 310 MB, and most
 * users of Espalier do not need them.
 */
interface Added {
  "@tensorflow/tfjs": typeof import("@tensorflow/tfjs");
  "@tensorflow/tfjs-backend-wasm": typeof import("@tensorflow/tfjs-backend-wasm");
  "@tensorflow/tfjs-backend-webgpu": typeof import("@tensorflow/tfjs-backend-webgpu");
}

const imports: { readonly [N in keyof Added]: () => Promise<Added[N]> } = {
  "@tensorflow/tfjs": () => import("@tensorflow/tfjs"),
  "@tensorflow/tfjs-backend-wasm": () => import("@tensorflow/tfjs-backend-wasm"),
  "@tensorflow/tfjs-backend-webgpu": () => import("@tensorflow/tfjs-backend-webgpu"),
};

/** The version that the kernels here are written for. */
const version = "4.22.0";

/** The command that installs packages of TensorFlow.js. */
function addCommand(...names: readonly (keyof Added)[]): string {
  return `npm install ${[...new Set(["@tensorflow/tfjs", ...names])].map((name) => `${name}@${version}`).join(" ")}`;
}

/** Loads TensorFlow.js for its backends in Node. */
export const tfjsCommand: string = addCommand("@tensorflow/tfjs-backend-wasm");

/** Thrown if TensorFlow.js is not installed; names the command. */
export class NotAdded extends EspalierError {
  readonly command: string;

  constructor(name: keyof Added) {
    const command = name === "@tensorflow/tfjs" ? tfjsCommand : addCommand(name);
    super(`TensorFlow.js is not installed: ${command}`);
    this.command = command;
  }
}

/** Loads a package of TensorFlow.js. Throws a NotAdded if it is not installed. */
export async function load<N extends keyof Added>(name: N): Promise<Added[N]> {
  try {
    return await imports[name]();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_MODULE_NOT_FOUND" && message.includes(name)) throw new NotAdded(name);
    throw error;
  }
}
