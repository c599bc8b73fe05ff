/** A part of a job that failed: which of its calls. `cause` is known where it was this thread's. */
export class PartError extends Error {
  readonly part: number;
  readonly call: number;
  constructor(part: number, call: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.part = part;
    this.call = call;
  }
}
