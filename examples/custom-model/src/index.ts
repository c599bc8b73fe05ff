export { type MixerOptions, mixer } from "./mixer.ts";
