import { FIELD_KEY } from "../protocol.js";
import { crosstab } from "./crosstab.js";

const KEY = "sse:session";

/**
 * Return whose session the browser has, as far as a tab has said so: the mark of a user, or "" for nobody.
 *
 * @returns {string | undefined}
 */
export function currentSession() {
  return crosstab().get(KEY);
}

/**
 * Tell all tabs whose session it is now. What somebody else has typed is deleted from the browser's storage.
 *
 * @param {string} mark
 */
export function setSession(mark) {
  if (currentSession() === mark) return;
  if (currentSession() !== undefined) crosstab().forget(FIELD_KEY);
  crosstab().set(KEY, mark);
}

/**
 * Call a listener when a tab says whose session it is.
 *
 * @param {(mark: string, isOurs: boolean) => void} listener `isOurs` says whether this tab did
 * @returns {() => void} removes the listener
 */
export function onSession(listener) {
  return crosstab().subscribe(KEY, (mark, isOurs) => {
    if (mark === "") crosstab().forget(FIELD_KEY);
    listener(mark, isOurs);
  });
}
