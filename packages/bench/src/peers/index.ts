export {
  type CompareOptions,
  compareCompiling,
  compareForecasts,
  compareThreads,
  compareTraining,
  prepareSubject,
  sizesOf,
} from "./compare.ts";
export { peersDocument } from "./document.ts";
export { backendPeer, type Loaded, type Peer, type Runnable } from "./peer.ts";
export { agrees, type PeerResults, type PeerRun, parsePeerResults, type Task } from "./results.ts";
export { randomSubjects, type Subject, trainedSubjects } from "./subjects.ts";
export { own, ownOnTwoThreads, type Verdict, verdicts } from "./targets.ts";
export { selectVariants, type Variant, variants } from "./variants.ts";
