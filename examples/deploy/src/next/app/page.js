"use client";
import { createElement, useEffect } from "react";

/** The page above, in Next: it forecasts in the browser, so it is loaded there. */
export default function Page() {
  useEffect(() => {
    import("../../page.js");
  }, []);
  return createElement("output");
}
