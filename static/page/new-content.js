import { processElement } from "../htmx/process.js";

/** @typedef {import("../morph/three-way.js").Changes} Changes */

/**
 * Bring new content to life: the one way in for what a patch has inserted or changed.
 *
 * @param {Changes} changes
 */
export function bringIn({ inserted, changed }) {
  for (const element of [...inserted, ...changed]) processElement(element);
}
