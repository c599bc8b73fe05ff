/** Recurrent cells have no kernels here. */
export const lacks: readonly string[] = ["LSTM", "LSTMGradient", "GRU", "GRUGradient"];
