import { FIELD_KEY } from "../protocol.js";
import { crosstab } from "./crosstab.js";

const KEY = "sse:session";

/** Return whose the browser's session is, as far as a tab has said so: a mark, or "" for nobody's. */
export function whose() {
  return /** @type {string | undefined} */ (crosstab().get(KEY));
}

/**
 * Say to all tabs whose the session is now. What was typed by somebody else is no longer remembered.
 *
 * @param {string} mark
 */
export function sayWhose(mark) {
  if (whose() === mark) return;
  if (whose() !== undefined) crosstab().forget(FIELD_KEY);
  crosstab().set(KEY, mark);
}

/**
 * Be told when a tab says whose the session is.
 *
 * @param {(mark: string, isOurs: boolean) => void} listener
 */
export function onWhose(listener) {
  return crosstab().subscribe(KEY, (mark, isOurs) => {
    if (mark === "") crosstab().forget(FIELD_KEY);
    listener(mark, isOurs);
  });
}
