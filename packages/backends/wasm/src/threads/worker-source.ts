/**
 * Source of a worker, as text: bundlers do not have to find a file, and Node and browsers run the same. It makes its own
 * instance of the kernels on the shared memory and then takes parts of jobs (see job.ts) for as long as it lives, in the
 * order of team.ts: first those of its own queue, then those of others.
 */
const body = `
function start({ module, memory, control, count, words, thread, threads, kernels, patience }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const shared = new Int32Array(memory.buffer, control, count);
  const functions = kernels.map((name) => exports[name]);
  const jobs = new Map();
  const pause = Atomics.pause ?? (() => {});

  function copy(to, toEach, from, fromEach, bytes) {
    return (part) => {
      const [first, at] = [from + part * fromEach, to + part * toEach];
      new Uint8Array(memory.buffer).copyWithin(at, first, first + bytes);
    };
  }

  function callsAt(numbers, at) {
    const calls = [];
    let count = numbers[at++];
    while (count-- > 0) {
      const kernel = numbers[at++], length = numbers[at++], args = [];
      for (let i = 0; i < length; i++, at += 2) args.push(numbers[at] + thread * numbers[at + 1]);
      calls.push(kernel < 0 ? copy(...args) : functions[kernel].bind(null, ...args));
    }
    return calls;
  }

  function callsOf(part) {
    const [address, version] = [shared[words.job] >>> 0, shared[words.version]];
    let job = jobs.get(address);
    if (job?.version !== version) {
      if (jobs.size > 100) jobs.clear();
      const length = new Float64Array(memory.buffer, address, 1)[0];
      job = { version, numbers: new Float64Array(memory.buffer, address, length), parts: [] };
      jobs.set(address, job);
    }
    const list = job.numbers[1] === 1 ? 0 : part;
    return (job.parts[list] ??= callsAt(job.numbers, job.numbers[2 + list]));
  }

  function run(part) {
    let at = 0;
    try {
      const calls = callsOf(part);
      for (; at < calls.length; at++) calls[at](part);
    } catch (error) {
      if (Atomics.compareExchange(shared, words.failed, 0, part + 1) !== 0) return;
      shared[words.failedCall] = at;
      const text = String(error?.message ?? error).slice(0, words.maxText);
      shared[words.textLength] = text.length;
      for (let i = 0; i < text.length; i++) shared[words.text + i] = text.charCodeAt(i);
    }
  }

  function take(queue) {
    for (;;) {
      const limit = Atomics.load(shared, queue + words.limit);
      const next = Atomics.load(shared, queue + words.next);
      if (((next - limit) | 0) >= 0) return undefined;
      const taken = Atomics.compareExchange(shared, queue + words.next, next, (next + 1) | 0) === next;
      if (taken) return (next - shared[queue + words.base]) | 0;
    }
  }

  function idle(round) {
    const end = performance.now() + patience;
    do {
      for (let i = 0; i < 50; i++) {
        if (Atomics.load(shared, words.round) !== round) return;
        pause();
      }
    } while (performance.now() < end);
    Atomics.add(shared, words.sleepers, 1);
    Atomics.wait(shared, words.round, round);
    Atomics.sub(shared, words.sleepers, 1);
  }

  port.postMessage("ready");
  for (;;) {
    const round = Atomics.load(shared, words.round);
    for (let i = 0; i < threads; i++) {
      const queue = words.queues + ((thread + i) % threads) * words.queue;
      for (let part = take(queue); part !== undefined; part = take(queue)) {
        run(part);
        Atomics.add(shared, words.done, 1);
        if (Atomics.load(shared, words.waiting) !== 0) Atomics.notify(shared, words.done);
      }
    }
    idle(round);
  }
}`;

export const nodeSource: string = `const port = process.getBuiltinModule("node:worker_threads").parentPort;
port.once("message", start);
${body}`;

export const webSource: string = `const port = self;
port.onmessage = ({ data }) => start(data);
${body}`;
