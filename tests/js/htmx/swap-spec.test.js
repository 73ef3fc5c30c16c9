import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { modifier, morphStyleOf, parseOutOfBand, toHtmx4Swap } from "../../../static/htmx/swap-spec.js";

describe("swap-spec", () => {
  it("parses what the kit and htmx write out of band", () => {
    const cases = {
      true: ["true", "", ""],
      "beforeend:#a": ["beforeend", "#a", ""],
      "innerHTML:#a > li": ["innerHTML", "#a > li", ""],
      "beforeend target:#a show:bottom settle:1s": ["beforeend", "#a", "show:bottom settle:1s"],
      "beforeend target:'#a > li' transition:true": ["beforeend", "#a > li", "transition:true"],
    };
    for (const [value, [style, selector, modifiers]] of Object.entries(cases)) {
      assert.deepEqual(parseOutOfBand(value), { style, selector, modifiers }, value);
    }
  });

  it("knows morphs by the names of both generations", () => {
    assert.deepEqual(["morph", "outerMorph", "innerMorph", "morph:innerHTML", "innerHTML"].map(morphStyleOf), [
      "outerHTML",
      "outerHTML",
      "innerHTML",
      "innerHTML",
      undefined,
    ]);
    assert.equal(toHtmx4Swap("morph:innerHTML transition:true"), "innerMorph transition:true");
    assert.equal(toHtmx4Swap("morph"), "outerMorph");
    assert.equal(toHtmx4Swap("beforeend show:bottom"), "beforeend show:bottom");
  });

  it("finds modifiers", () => {
    assert.equal(modifier("show:#a:top settle:1s", "show"), "#a:top");
    assert.equal(modifier("settle:1s", "show"), undefined);
  });
});
