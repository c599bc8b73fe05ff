import type { Availability } from "@espalier/core";
import { findSoftwareDriver, hasDrivers, loadLibrary, type SoftwareDriver } from "./vulkan.ts";

/** A way to WebGPU that leads to an adapter. */
export interface Gpu {
  /** The page's own `navigator.gpu`, or Dawn's in Node. An adapter gives one device only: ask it for a new one each time. */
  readonly api: GPU;
  /** As it is shown: `NVIDIA H100`, `SwiftShader (software: correctness only)`. */
  readonly name: string;
  /** A program that stands in for a GPU (SwiftShader, llvmpipe): its times say nothing about any GPU. */
  readonly software: boolean;
  /** What implements WebGPU: `Dawn`, `browser`. */
  readonly runtime: string;
  /** Classes and constants that a page has as globals; in Node they come with Dawn. */
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Why there is none: one line with the command that gets it. */
export interface Missing {
  readonly missing: string;
}

export type GpuSearch = Gpu | Missing;

/** What npm's `webgpu` exports. */
interface Dawn {
  create(options: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

let search: Promise<GpuSearch> | undefined;

/**
 * Looks for a WebGPU adapter, once a process. In a browser: the page's. In Node: Dawn's (npm's `webgpu`), a real GPU
 * first, then the software driver that Debian's Chromium brings. A `VK_DRIVER_FILES` that is set is respected.
 */
export function findGpu(): Promise<GpuSearch> {
  search ??= inNode() ? searchNode() : searchBrowser();
  return search;
}

/** What a backend that found this says about itself. */
export function describeGpu(found: GpuSearch, version: string): Availability {
  if ("missing" in found) return { available: false, detail: found.missing };
  const { name, runtime, software } = found;
  return { available: true, detail: `${version}${name}, ${runtime}`, device: name, software };
}

function inNode(): boolean {
  return typeof process !== "undefined" && process.versions?.node !== undefined;
}

async function searchBrowser(): Promise<GpuSearch> {
  const api = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (api === undefined) {
    return { missing: "this browser has no WebGPU (or the page is not served over HTTPS)." };
  }
  const adapter = await api.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) {
    return { missing: "the browser offers no WebGPU adapter: see chrome://gpu or about:support." };
  }
  return named(api, adapter, "browser", {});
}

async function searchNode(): Promise<GpuSearch> {
  let dawn: Dawn;
  try {
    // Bundlers of pages must not follow it: Dawn is for Node alone.
    const name = "webgpu";
    dawn = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Dawn;
  } catch (error) {
    const known = (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    return {
      missing: known
        ? "package webgpu (Dawn) is not installed: npm install webgpu"
        : `package webgpu (Dawn) does not load here: ${firstLine(error)}`,
    };
  }
  const chosen = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].some((name) => process.env[name] !== undefined);
  const driver = process.platform === "linux" && !chosen ? findSoftwareDriver() : undefined;
  // Without a driver Dawn would only print warnings.
  const real = process.platform !== "linux" || chosen || hasDrivers() || driver === undefined;
  const own = real ? await requestFrom(dawn) : undefined;
  if (own !== undefined && (chosen || !own.software || driver === undefined)) return own;
  return (driver && (await requestSoftware(dawn, driver))) ?? own ?? { missing: noAdapter() };
}

async function requestFrom({ create, globals }: Dawn): Promise<Gpu | undefined> {
  const api = create([]);
  const adapter = await api.requestAdapter({ powerPreference: "high-performance" });
  return adapter === null ? undefined : named(api, adapter, "Dawn", globals);
}

async function requestSoftware(dawn: Dawn, driver: SoftwareDriver): Promise<Gpu | undefined> {
  // Dawn finds the Vulkan loader by its name: one that is loaded already will do.
  if (!loadLibrary("libvulkan.so.1") && !loadLibrary(driver.loader)) return undefined;
  process.env.VK_DRIVER_FILES = driver.manifest;
  try {
    return await requestFrom(dawn);
  } finally {
    delete process.env.VK_DRIVER_FILES;
  }
}

function noAdapter(): string {
  if (process.platform !== "linux") return "Dawn finds no GPU: install the GPU's driver.";
  return "Dawn finds no Vulkan driver: install the GPU's, or (software, for correctness only) apt-get install chromium";
}

/** Programs that pretend to be a GPU, by the words they are known under. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render|software/i.test(words);
}

function named(api: GPU, { info }: GPUAdapter, runtime: string, globals: Gpu["globals"]): Gpu {
  const software = isSoftware(info);
  const parts = [info.description, info.device, `${info.vendor} ${info.architecture}`.trim()];
  const plain = /swiftshader/i.test(parts.join(" "))
    ? "SwiftShader"
    : (parts.find((part) => /[a-z]/i.test(part)) ?? "unnamed adapter");
  return {
    api,
    name: software ? `${plain} (software: correctness only)` : plain,
    software,
    runtime,
    globals,
  };
}

function firstLine(error: unknown): string {
  return `${(error as Error).message}`.split("\n")[0]!;
}
