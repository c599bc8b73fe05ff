import type { SearchRecord, Task } from "./records.ts";

/** A trial that was started, or a candidate in the making. */
type Flight = { readonly task: Task } | "proposal";

/** What a search has begun and not recorded yet. Records are taken in the order in which they come. */
export class Flights {
  readonly #open = new Map<Flight, Promise<void>>();
  readonly #ended: { readonly flight: Flight; readonly record: () => SearchRecord | undefined }[] = [];

  /** The trials. */
  get tasks(): readonly Task[] {
    return [...this.#open.keys()].flatMap((flight) => (flight === "proposal" ? [] : [flight.task]));
  }

  get isProposing(): boolean {
    return this.#open.has("proposal");
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  start(flight: Flight, run: Promise<SearchRecord | undefined>): void {
    const end = (record: () => SearchRecord | undefined) => void this.#ended.push({ flight, record });
    this.#open.set(
      flight,
      run.then(
        (record) => end(() => record),
        (error: unknown) =>
          end(() => {
            throw error;
          }),
      ),
    );
  }

  /** The records of what has ended since the last call. Throws what one of them threw. */
  *landed(): Generator<SearchRecord> {
    for (let next = this.#ended.shift(); next !== undefined; next = this.#ended.shift()) {
      this.#open.delete(next.flight);
      const record = next.record();
      if (record !== undefined) yield record;
    }
  }

  /** Resolves when something has ended; or after some milliseconds, if given. */
  async wait(atMost?: number): Promise<void> {
    if (this.#ended.length > 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      if (atMost !== undefined) timer = setTimeout(resolve, atMost);
    });
    await Promise.race([...this.#open.values(), late]);
    clearTimeout(timer);
  }

  /** Resolves when everything has ended. */
  async end(): Promise<void> {
    await Promise.all(this.#open.values());
  }
}
