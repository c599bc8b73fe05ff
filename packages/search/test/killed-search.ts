import { search } from "../src/index.ts";
import { openSearch } from "../src/node/index.ts";
import { request } from "./small.ts";

/** Searches in a folder, and says what it chose; dies after so many events, if a number is given. */
const [folder, events] = process.argv.slice(2);
let left = events === undefined ? Number.POSITIVE_INFINITY : Number(events);
const store = await openSearch(folder!);
const { chosen } = await search({
  ...request,
  evaluations: 12,
  store,
  onEvent: () => void (--left === 0 && process.kill(process.pid, "SIGKILL")),
});
await store.close();
console.log(`chosen ${chosen!.candidate} ${chosen!.mean.digest}`);
