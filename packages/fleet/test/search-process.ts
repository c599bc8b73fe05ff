import { search } from "@espalier/search";
import { openSearch } from "@espalier/search/node";
import { searchOver } from "./small-search.ts";

/** A search over a queue as a process of its own, for tests that kill it: `search-process.ts URL FOLDER`. */
const [url, folder] = process.argv.slice(2);
const store = await openSearch(folder!);
const { request, queue } = searchOver(url!);
const { chosen } = await search({ ...request, settings: { ...request.settings, seed: 9 }, store, queue });
await queue.close();
await store.close();
console.log(`chosen ${chosen!.candidate}`);
process.exit();
