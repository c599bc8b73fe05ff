import { nodeThreads } from "./sharing.ts";
import { nodeSource, webSource } from "./worker-source.ts";

/** A thread in addition to the one that runs programs. */
export interface Thread {
  end(): void;
}

/**
 * Starts a worker with the message that its source expects. Rejects with the reason if it does not start. It does not
 * keep the process alive.
 */
export function startThread(message: object): Promise<Thread> {
  const threads = nodeThreads();
  return threads === undefined ? startWebWorker(message) : startNodeWorker(threads, message);
}

function startNodeWorker(
  { Worker }: NonNullable<ReturnType<typeof nodeThreads>>,
  message: object,
): Promise<Thread> {
  return new Promise((resolve, reject) => {
    // Flags of this process (--input-type, --import) are not meant for it.
    const worker = new Worker(nodeSource, { eval: true, execArgv: [] });
    // Stays in place: what ends a worker later must not end the process. Nobody waits for it: see team.ts.
    worker.on("error", reject);
    worker.once("exit", (code) => reject(new Error(`it ended with code ${code}`)));
    worker.once("message", () => {
      worker.unref();
      resolve({ end: () => void worker.terminate() });
    });
    worker.postMessage(message);
  });
}

function startWebWorker(message: object): Promise<Thread> {
  return new Promise((resolve, reject) => {
    const address = URL.createObjectURL(new Blob([webSource], { type: "text/javascript" }));
    const worker = new Worker(address);
    const end = () => {
      worker.terminate();
      URL.revokeObjectURL(address);
    };
    worker.onerror = (event) => {
      end();
      reject(
        new Error(
          event.message ??
            "its source was rejected: does the page's policy allow workers from blob: addresses?",
        ),
      );
    };
    worker.onmessage = () => resolve({ end });
    worker.postMessage(message);
  });
}
