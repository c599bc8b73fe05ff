export {
  type AlternateOptions,
  alternate,
  type Contender,
  type Measurement,
  type Ratio,
  ratioOf,
} from "./alternate.ts";
export {
  type LatencyOptions,
  type LatencyResult,
  type LoadedProgram,
  loadProgram,
  measureLatency,
} from "./latency.ts";
export { quantile } from "./quantile.ts";
