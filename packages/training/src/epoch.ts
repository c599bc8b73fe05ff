/** The result of an epoch. */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Mean squared error over the epoch's batches, in training mode. */
  readonly trainLoss: number;
  /** Errors over all validation windows, in evaluation mode. */
  readonly validation: { readonly mse: number; readonly mae: number };
  /** Whether this is the best epoch so far. */
  readonly best: boolean;
  readonly seconds: number;
}
