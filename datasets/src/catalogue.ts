import { unknownName } from "@espalier/core/documents";
import type { MissingRule } from "./missing.ts";
import type { SplitRule } from "./split.ts";

/** A public data set of the literature, pinned by its checksum. */
export interface CatalogueEntry {
  readonly name: string;
  /** The file's name in `ESPALIER_DATA` and in the cache. */
  readonly file: string;
  /** Time steps. */
  readonly rows: number;
  /** Series, the date not counted. */
  readonly columns: number;
  /** The time from one row to the next. */
  readonly step: string;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256: string;
  /** The public address of those bytes. */
  readonly address: string;
  readonly licence: string;
  /** The split that the literature reports on. */
  readonly splits: SplitRule;
  /** Numbers that stand for a missing value. */
  readonly sentinels: readonly number[];
  /** Default handling of missing values. */
  readonly missing: MissingRule;
  /** The column of dates; `false` where the file has none. */
  readonly dateColumn: string | false;
  /** Whether the first row holds names. */
  readonly header: boolean;
  /** Names of the series, for a file without a header. */
  readonly columnNames?: readonly string[];
}

const github = "https://raw.githubusercontent.com";
const ett = `${github}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small`;
const nemots = `${github}/Xieyyyy/NEMoTS/0f58be8b0f77af83112592831b93efa728d0e929/dataset`;
const sedimark = `${github}/Sedimark/Crossformer/e32900509ecb3996f47a9a19edc28e52af5f6c58`;
const library = "https://huggingface.co/datasets/thuml/Time-Series-Library/resolve/main";

/** 12, 4 and 4 months of 30 days; the rows after them are not used. */
const ettMonths = (rowsPerHour: number): SplitRule => {
  const month = 30 * 24 * rowsPerHour;
  return { rows: [12 * month, 4 * month, 4 * month] };
};

const common = {
  splits: { shares: [0.7, 0.1, 0.2] },
  sentinels: [],
  missing: "error",
  dateColumn: "date",
  header: true,
} satisfies Partial<CatalogueEntry>;

const hourlyEtt = {
  ...common,
  rows: 17_420,
  columns: 7,
  step: "1 h",
  licence: "CC BY-ND 4.0",
  splits: ettMonths(1),
};
const minutelyEtt = { ...hourlyEtt, rows: 69_680, step: "15 min", splits: ettMonths(4) };

/** Every data set that is known by name, besides `synthetic`. */
export const catalogue: readonly CatalogueEntry[] = [
  {
    ...hourlyEtt,
    name: "ETTh1",
    file: "ETTh1.csv",
    sha256: "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    address: `${ett}/ETTh1.csv`,
  },
  {
    ...hourlyEtt,
    name: "ETTh2",
    file: "ETTh2.csv",
    sha256: "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    address: `${ett}/ETTh2.csv`,
  },
  {
    ...minutelyEtt,
    name: "ETTm1",
    file: "ETTm1.csv",
    sha256: "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    address: `${ett}/ETTm1.csv`,
  },
  {
    ...minutelyEtt,
    name: "ETTm2",
    file: "ETTm2.csv",
    sha256: "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
    address: `${ett}/ETTm2.csv`,
  },
  {
    ...common,
    name: "exchange_rate",
    file: "exchange_rate.csv",
    rows: 7588,
    columns: 8,
    step: "1 day",
    sha256: "d55e7aa2641009814a18ba3279431b13f6d413b0eab195b9ff21988d8cf94e97",
    address: `${nemots}/exchange_rate/exchange_rate.csv`,
    licence: "none stated",
  },
  {
    ...common,
    name: "national_illness",
    file: "national_illness.csv",
    rows: 966,
    columns: 7,
    step: "7 days",
    sha256: "8594cecb98c6f2f9dc014eca11c4d5d1e38ad5ce6ed0592d4abe65b146fce395",
    address: `${nemots}/illness/national_illness.csv`,
    licence: "none stated (CDC ILINet)",
  },
  {
    ...common,
    name: "weather",
    file: "weather.csv",
    rows: 52_696,
    columns: 21,
    step: "10 min",
    sha256: "9b2b19b13e342d9c9b9c51620d42b4be232df7fba30e7f5c4968b7c79ab138ad",
    address: `${nemots}/weather/weather.csv`,
    licence: "none stated (MPI Jena)",
    sentinels: [-9999],
    missing: "forward-fill",
  },
  {
    ...common,
    name: "helsinki_air_quality",
    file: "helsinki_air_quality.csv",
    rows: 61_392,
    columns: 8,
    step: "1 h",
    sha256: "442c2c59a9ee94542508cb73f4d4b60ac0bc647c3e71879113cc40c491c72f46",
    address: `${sedimark}/scripts/demo.csv`,
    licence: "EUPL-1.2 repository",
    sentinels: [0],
    missing: "forward-fill",
    dateColumn: false,
    header: false,
    columnNames: [
      "Mannerheimintie",
      "Mäkelänkatu",
      "Kallio",
      "Vartiokylä",
      "Leppävaara",
      "Tikkurila",
      "Luukki",
      "Lohja",
    ],
  },
  {
    ...common,
    name: "electricity",
    file: "electricity.csv",
    rows: 26_304,
    columns: 321,
    step: "1 h",
    sha256: "7e45845d54c5219bad0ae6bc1b5316cf8ff9cead5d33fa998a5a51c2e4a497ad",
    address: `${library}/electricity/electricity.csv`,
    licence: "CC BY 4.0",
  },
  {
    ...common,
    name: "traffic",
    file: "traffic.csv",
    rows: 17_544,
    columns: 862,
    step: "1 h",
    sha256: "cb06463d56fa17d87f47027cd9389ceae82a69eddee51cdb61480e120dab0b16",
    address: `${library}/traffic/traffic.csv`,
    licence: "CC BY 4.0",
  },
];

/**
 * The catalogue's entry of a name.
 *
 * @throws EspalierError with the nearest known name.
 */
export function findDataset(name: string): CatalogueEntry {
  const entry = catalogue.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const known = [...catalogue.map((candidate) => candidate.name), "synthetic"];
  throw unknownName("dataset", name, known, ", or a path to a .csv file");
}
