import { morphInto } from "../page/morph.js";
import { takeMorphs } from "./live-morphs.js";

/**
 * Have a region take over what the server has rendered anew; focus, caret, scroll and what was typed stay.
 *
 * @param {HTMLElement} region
 */
export function attach(region) {
  const take = () => takeMorphs(region, (content) => morphInto(region, [...content.childNodes], "innerHTML"));
  const observer = new MutationObserver(take);
  observer.observe(region, { childList: true });
  take();
  return () => observer.disconnect();
}
