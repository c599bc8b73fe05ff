import { EspalierError } from "@espalier/core";
import type { CallName, FromWorker, ToWorker } from "../protocol.ts";
import { Session } from "./session.ts";
import type { Work } from "./work.ts";

/** Takes calls one after the other, and cancels them when told to, those that wait as well. */
const session = new Session(async (url) => {
  const response = await fetch(url);
  if (!response.ok)
    throw new EspalierError(
      `${new URL(url).pathname} cannot be fetched (${response.status}). Is the network there?`,
    );
  return new Uint8Array(await response.arrayBuffer());
});
const running = new Map<number, AbortController>();
let last: Promise<void> = Promise.resolve();

const send = (message: FromWorker, transfer: Transferable[] = []) => postMessage(message, { transfer });

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if ("cancel" in data) {
    running.get(data.cancel)?.abort();
    return;
  }
  const { id, call, argument } = data;
  const controller = new AbortController();
  running.set(id, controller);
  last = last.then(() => answer(id, call, argument, controller));
});

async function answer(
  id: number,
  call: CallName,
  argument: unknown,
  { signal }: AbortController,
): Promise<void> {
  const work: Work = { signal, onProgress: (progress) => send({ id, progress }) };
  try {
    signal.throwIfAborted();
    const method = session[call] as (argument: unknown, work: Work) => Promise<unknown>;
    const result = await method.call(session, argument, work);
    send({ id, result }, transferable(result));
  } catch (error) {
    if (signal.aborted) send({ id, aborted: true });
    else send({ id, error: lineOf(error) });
  } finally {
    running.delete(id);
  }
}

/** Errors of Espalier say what to do; any other is a fault of ours, or memory that ran out. */
function lineOf(error: unknown): string {
  if (error instanceof EspalierError) return error.message;
  const { message } = error as Error;
  return /memory|allocation/i.test(message)
    ? `this browser gives the page too little memory for it (${message}).`
    : `something went wrong that should not have: ${message}`;
}

/** Files are handed over rather than copied. */
function transferable(result: unknown): Transferable[] {
  const { bytes } = (result ?? {}) as { readonly bytes?: Uint8Array<ArrayBuffer> };
  return bytes === undefined ? [] : [bytes.buffer];
}
