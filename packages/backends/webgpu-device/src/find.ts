import type { Availability } from "@espalier/core";
import { chosenDrivers, findHiddenDriver, findSoftwareDriver, hasDrivers, loadVulkan } from "./vulkan.ts";

/** Access to WebGPU with a working adapter. */
export interface Gpu {
  /**
   * The page's own `navigator.gpu`, or Dawn's in Node. An adapter provides only one device: request a new adapter each
   * time.
   */
  readonly api: GPU;
  /** Display name: `NVIDIA H100`, `SwiftShader (software: correctness only)`. */
  readonly name: string;
  /** Software stands in for a GPU (SwiftShader, llvmpipe): its times say nothing about any GPU. */
  readonly software: boolean;
  /** The implementation of WebGPU: `Dawn`, `browser`. */
  readonly runtime: string;
  /** Version of npm's `webgpu`. */
  readonly version?: string;
  /** Classes and constants that are globals in a page; in Node they come with Dawn. */
  readonly globals: Readonly<Record<string, unknown>>;
}

/** The reason in one line, with the command that installs what is missing, if there is one. */
export interface Missing {
  readonly missing: string;
  readonly command?: string;
}

/** A GPU, or the reason why there is none. */
export type GpuSearch = Gpu | Missing;

/** Exports of npm's `webgpu`. */
interface Dawn {
  create(options: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

let search: Promise<GpuSearch> | undefined;

/**
 * Looks for a WebGPU adapter, once per process. In a browser: the page's. In Node: Dawn's (npm's `webgpu`), preferring
 * a real GPU, even if a container does not register its driver, then the software driver of Debian's Chromium. Respects
 * `VK_DRIVER_FILES`.
 */
export function findGpu(): Promise<GpuSearch> {
  search ??= inNode() ? searchNode() : searchBrowser();
  return search;
}

/** The availability of a backend on this adapter; `versions` are those of the libraries it uses on top of WebGPU. */
export function describeGpu(found: GpuSearch, versions: Readonly<Record<string, string>> = {}): Availability {
  if ("missing" in found) {
    const { missing, command } = found;
    return { available: false, detail: missing, ...(command === undefined ? {} : { command }) };
  }
  const { name, runtime, software, version } = found;
  const above = Object.entries(versions).map(([what, number]) => `${what} ${number}, `);
  return {
    available: true,
    detail: `${above.join("")}${name}, ${runtime}`,
    device: name,
    software,
    versions: { ...versions, ...(version === undefined ? {} : { webgpu: version }) },
  };
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
  return named(api, adapter, "browser", {}, undefined);
}

async function searchNode(): Promise<GpuSearch> {
  let dawn: Dawn;
  try {
    // Bundlers of pages must not follow it: Dawn only works in Node.
    const name = "webgpu";
    dawn = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Dawn;
  } catch (error) {
    const known = (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    if (!known) return { missing: `package webgpu (Dawn) cannot be loaded here: ${firstLine(error)}` };
    return missing("package webgpu (Dawn) is not installed", "npm install webgpu");
  }
  if (process.platform !== "linux") return (await requestFrom(dawn)) ?? noAdapter();
  // Without a loader or a driver, Dawn finds nothing and prints warnings that Node cannot suppress, so it is not
  // called.
  const chosen = chosenDrivers();
  if (chosen !== undefined) {
    const { variable, manifests } = chosen;
    if (manifests.length === 0) {
      const value = process.env[variable];
      return { missing: `Dawn finds no Vulkan driver: ${variable} is "${value}", but no such file exists.` };
    }
    return (loadVulkan(manifests) ? await requestFrom(dawn) : undefined) ?? noAdapter();
  }
  const own = hasDrivers() && loadVulkan() ? await requestFrom(dawn) : undefined;
  if (own !== undefined && !own.software) return own;
  const hidden = await requestWith(dawn, findHiddenDriver());
  if (hidden !== undefined && !hidden.software) return hidden;
  return (await requestWith(dawn, findSoftwareDriver())) ?? own ?? hidden ?? noAdapter();
}

async function requestFrom({ create, globals }: Dawn): Promise<Gpu | undefined> {
  const api = create([]);
  const adapter = await api.requestAdapter({ powerPreference: "high-performance" });
  return adapter === null ? undefined : named(api, adapter, "Dawn", globals, await dawnVersion());
}

/** The version of npm's `webgpu`; a bundle may have left its manifest behind. */
async function dawnVersion(): Promise<string | undefined> {
  const { createRequire } = await import("node:module");
  try {
    return (createRequire(import.meta.url)("webgpu/package.json") as { version: string }).version;
  } catch {
    return undefined;
  }
}

async function requestWith(dawn: Dawn, manifest: string | undefined): Promise<Gpu | undefined> {
  if (manifest === undefined || !loadVulkan([manifest])) return undefined;
  process.env.VK_DRIVER_FILES = manifest;
  try {
    return await requestFrom(dawn);
  } finally {
    delete process.env.VK_DRIVER_FILES;
  }
}

function noAdapter(): Missing {
  if (process.platform !== "linux") return { missing: "Dawn finds no GPU: install the GPU's driver." };
  const why = "Dawn finds no Vulkan driver: install the GPU's, or (software, for correctness only)";
  return missing(why, "apt-get install chromium", "");
}

function missing(why: string, command: string, mark = ":"): Missing {
  return { missing: `${why}${mark} ${command}`, command };
}

/** Names of software that stands in for a GPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render|software/i.test(words);
}

function named(
  api: GPU,
  { info }: GPUAdapter,
  runtime: string,
  globals: Gpu["globals"],
  version: string | undefined,
): Gpu {
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
    ...(version === undefined ? {} : { version }),
  };
}

function firstLine(error: unknown): string {
  return `${(error as Error).message}`.split("\n")[0]!;
}
