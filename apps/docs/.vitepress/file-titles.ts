import type { MarkdownRenderer } from "vitepress";

/** ```` ```ts [name] ```` has its name above it: the file that a reader saves the block as. */
export function fileTitles(md: MarkdownRenderer): void {
  const fence = md.renderer.rules.fence!;
  md.renderer.rules.fence = (tokens, i, ...rest) => {
    // VitePress takes the name away, for its groups of tabs.
    const name = /\[([^\]]+)\]\s*$/.exec(tokens[i]!.info)?.[1];
    const block = fence(tokens, i, ...rest);
    return name === undefined ? block : `<div class="file-title">${md.utils.escapeHtml(name)}</div>${block}`;
  };
}
