import { equalNodes } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { makePlan } from "../src/plan.ts";

it("rules of core decide what is planned: equal nodes are one step", () => {
  const { steps } = makePlan(equalNodes(), 1, "wasm");
  expect(steps.map(({ node }) => node.operator.name)).toEqual(["Softmax", "Add"]);
});
