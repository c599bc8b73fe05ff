export {
  type CompareOptions,
  compareCompiling,
  compareForecasts,
  compareThreads,
  compareTraining,
  type PreparedSubject,
  prepareSubject,
  sizesOf,
} from "./compare.ts";
export { checkConformance } from "./conformance.ts";
export { peersDocument } from "./document.ts";
export { type GpuPreset, gpuModels, gpuSubjects } from "./gpu-subjects.ts";
export { backendPeer, type Loaded, type Peer, type Runnable } from "./peer.ts";
export {
  agrees,
  type Conformance,
  mergePeerResults,
  onSoftware,
  type PeerResults,
  type PeerRun,
  parsePeerResults,
  type Task,
} from "./results.ts";
export { randomSubjects, type Subject, trainedSubjects } from "./subjects.ts";
export { peersSummaryLines } from "./summary.ts";
export { own, ownOnTwoThreads, type Verdict, verdicts } from "./targets.ts";
export { selectVariants, type Variant, variants } from "./variants.ts";
