import { createForecaster } from "../../src/index.ts";

/** What the page offers to the test. */
export interface Offers {
  /** Every breach of the page's policy so far: the directive, and what broke it. */
  readonly breaches: readonly string[];
  /** A forecast by the model that the site serves. */
  forecast(rows: readonly number[][]): Promise<number[]>;
  /** Breaks the policy in the ways that libraries do. */
  misbehave(): void;
}

const breaches: string[] = [];
addEventListener("securitypolicyviolation", (event) => {
  breaches.push(`${event.effectiveDirective}: ${event.blockedURI}`);
});

async function forecast(rows: readonly number[][]): Promise<number[]> {
  const response = await fetch("/model.safetensors");
  const forecaster = await createForecaster(new Uint8Array(await response.arrayBuffer()));
  try {
    return [...(await forecaster.forecast(rows)).values];
  } finally {
    forecaster.dispose();
  }
}

function misbehave(): void {
  const ways = [
    () => new Function("return 1"),
    () => {
      document.createElement("div").innerHTML = "<b>text</b>";
    },
    () => document.head.append(Object.assign(document.createElement("style"), { textContent: "b {}" })),
  ];
  // Each in a task of its own: what a debugger calls is exempt.
  for (const way of ways) setTimeout(way);
}

Object.assign(globalThis, { breaches, forecast, misbehave } satisfies Offers);
