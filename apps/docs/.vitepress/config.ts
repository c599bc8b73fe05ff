import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type DefaultTheme, defineConfig } from "vitepress";
import type { GeneratedPages } from "../build/generate.ts";
import { fileTitles } from "./file-titles.ts";

const root = new URL("..", import.meta.url);
const at = (path: string) => fileURLToPath(new URL(path, root));

/** Path that the site will be served from, such as `/espalier/`; the root of its host by default. */
const base = `/${process.env.DOCS_BASE ?? ""}/`.replaceAll(/\/{2,}/g, "/");

/** A page that is there; a link to one that is not would be a dead one. */
const page = (text: string, link: string): DefaultTheme.SidebarItem[] =>
  existsSync(at(`${link.slice(1)}.md`)) || existsSync(at(`${link.slice(1)}index.md`)) ? [{ text, link }] : [];

const guide = (text: string, name: string) => ({ text, link: `/guides/${name}` });
const guides: DefaultTheme.SidebarItem[] = [
  { text: "Begin", items: [guide("Quick start", "quick-start"), guide("Concepts", "concepts")] },
  {
    text: "Use",
    items: [
      guide("Your own PyTorch model", "pytorch-model"),
      guide("Your own CSV", "your-own-csv"),
      guide("Write a recipe", "recipes"),
      guide("Search for a recipe", "search"),
      guide("Run the benchmark", "benchmark"),
      guide("A sweep on many machines", "many-machines"),
      guide("Deploy", "deploy"),
    ],
  },
  {
    text: "Extend",
    items: [
      guide("Write a strategy", "write-a-strategy"),
      guide("Write a criterion", "write-a-criterion"),
      guide("Write a model", "write-a-model"),
      guide("Write a backend", "write-a-backend"),
    ],
  },
  {
    text: "Look up",
    items: [guide("How numbers are counted", "numbers"), guide("Troubleshooting", "troubleshooting")],
  },
];

/** Pages that `build/generate.ts` made. */
const generated = JSON.parse(readFileSync(at("generated/pages.json"), "utf8")) as GeneratedPages;

export default defineConfig({
  title: "Espalier",
  description: "Prunes time-series transformers, and proves what was gained.",
  lang: "en-GB",
  base,
  srcExclude: ["**/README.md"],
  head: [
    ["link", { rel: "icon", href: `${base}mark.svg`, type: "image/svg+xml" }],
    ["meta", { name: "theme-color", content: "#2c6640" }],
  ],
  lastUpdated: false,
  vite: {
    // The playground runs the packages from their sources, in a module worker.
    resolve: { conditions: ["@espalier/source"] },
    worker: { format: "es" },
    build: { target: "es2022" },
  },
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => void md.use(fileTitles),
  },
  themeConfig: {
    logo: "/mark.svg",
    search: {
      provider: "local",
      // Who searches wants to do something first, and to look a name up second.
      options: {
        miniSearch: {
          searchOptions: { boostDocument: (id: string) => (id.includes("/guides/") ? 3 : 1) },
        },
      },
    },
    outline: [2, 3],
    nav: [
      { text: "Guides", link: "/guides/quick-start", activeMatch: "/guides/" },
      { text: "Reference", link: "/reference/", activeMatch: "/reference/" },
      ...(page("Results", "/results/") as DefaultTheme.NavItem[]),
      ...(page("Playground", "/playground") as DefaultTheme.NavItem[]),
    ],
    sidebar: {
      "/guides/": guides,
      "/reference/": [...generated.reference] as DefaultTheme.SidebarItem[],
      "/results/": [
        { text: "Results", link: "/results/", items: [...generated.results] as DefaultTheme.SidebarItem[] },
      ],
    },
    footer: { message: "Apache-2.0", copyright: "The Espalier authors" },
  },
});
