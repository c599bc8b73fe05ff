import { alternate, loadProgram, ratioOf } from "@espalier/bench/measure";
import type { Backend, Model, Tensors } from "@espalier/core";
import type { Latency, WorkProgress } from "../protocol.ts";

export interface LatencyRequest {
  readonly dense: Model;
  readonly pruned: Model;
  readonly backend: Backend;
  /** Inputs of each program, for one batch size. */
  readonly inputs: Tensors;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WorkProgress) => void;
}

/** Milliseconds of timing for each of the two, over all rounds. */
const time = 900;
const rounds = 9;
/** A sample lasts at least so many ticks of the clock: pages are given a coarse one. */
const ticks = 25;

/** Times calls of the dense and the pruned model that take turns in this thread, copies of inputs and outputs included. */
export async function measurePair(
  request: LatencyRequest,
): Promise<Pick<Latency, "dense" | "pruned" | "ratio" | "calls">> {
  const { dense, pruned, backend, inputs, signal, onProgress } = request;
  const size = [...inputs.values()][0]?.shape[0] ?? 1;
  const programs = [await loadProgram(dense, backend, size)];
  try {
    programs.push(await loadProgram(pruned, backend, size));
    const calls = await callsPerSample(
      programs.map(
        ({ run }) =>
          () =>
            run(inputs),
      ),
    );
    const contenders = programs.map(({ run }, i) => ({
      name: i === 0 ? "dense" : "pruned",
      async run() {
        for (let call = 0; call < calls; call++) await run(inputs);
      },
    }));
    const measured = await alternate(contenders, {
      time,
      rounds,
      samples: 3 * rounds,
      signal,
      onRound: (done) => onProgress({ what: `Timing on ${backend.name}`, share: done / rounds }),
    });
    const [slow, fast] = [measured[0]!, measured[1]!];
    const perCall = ({ timing }: typeof slow) => ({
      median: timing.median / calls,
      spread: timing.spread / calls,
    });
    return {
      dense: perCall(slow),
      pruned: perCall(fast),
      ratio: ratioOf(slow, fast),
      calls: calls * Math.min(slow.timing.samples, fast.timing.samples),
    };
  } finally {
    for (const program of programs) program.dispose();
  }
}

/** How many calls make a sample that the clock can tell, by the faster of the contenders. */
async function callsPerSample(contenders: readonly (() => Promise<unknown>)[]): Promise<number> {
  const least = ticks * clockTick();
  let calls = 1;
  for (const run of contenders) {
    // The first call compiles.
    await run();
    for (;;) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) await run();
      if (performance.now() - start >= least || calls >= 4096) break;
      calls *= 2;
    }
  }
  return calls;
}

/** The smallest step of the clock that was seen, in milliseconds. */
function clockTick(): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    smallest = Math.min(smallest, now - start);
  }
  return smallest;
}
