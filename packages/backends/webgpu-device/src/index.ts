export { describeGpu, findGpu, type Gpu, type GpuSearch, isSoftware, type Missing } from "./find.ts";
export { provideNavigatorGpu } from "./globals.ts";
export { loadLibrary } from "./vulkan.ts";
