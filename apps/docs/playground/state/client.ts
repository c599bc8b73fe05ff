import type { Argument, CallName, FromWorker, Result, ToWorker, WorkProgress } from "../protocol.ts";

/** Thrown by a call that was cancelled. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WorkProgress) => void;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  readonly onProgress: ((progress: WorkProgress) => void) | undefined;
}

/** Calls the worker; one that is stuck can be ended, and a fresh one begins where it began. */
export class WorkerClient {
  readonly #start: () => Worker;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 0;

  constructor(start: () => Worker) {
    this.#start = start;
  }

  /** Throws Cancelled where the signal says so, and an Error with one line for people where the call fails. */
  call<K extends CallName>(call: K, argument: Argument<K>, options: CallOptions = {}): Promise<Result<K>> {
    const { signal, onProgress } = options;
    const id = ++this.#next;
    return new Promise<unknown>((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new Cancelled());
        return;
      }
      this.#waiting.set(id, { resolve, reject, onProgress });
      signal?.addEventListener("abort", () => this.#post({ cancel: id }), { once: true });
      this.#post({ id, call, argument });
    }) as Promise<Result<K>>;
  }

  /** Ends the worker in the middle of whatever it does; what it knew is gone. */
  end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#rejectAll(() => new Cancelled());
  }

  #post(message: ToWorker): void {
    this.#worker ??= this.#listen(this.#start());
    this.#worker.postMessage(message);
  }

  #listen(worker: Worker): Worker {
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.#worker = undefined;
      const why = event.message ? ` (${event.message})` : "";
      this.#rejectAll(() => new Error(`the page's worker stopped${why}. Reload the page.`));
    };
    return worker;
  }

  #hear(message: FromWorker): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if ("progress" in message) {
      waiting.onProgress?.(message.progress);
      return;
    }
    this.#waiting.delete(message.id);
    if ("result" in message) waiting.resolve(message.result);
    else waiting.reject("aborted" in message ? new Cancelled() : new Error(message.error));
  }

  #rejectAll(error: () => Error): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error());
  }
}
