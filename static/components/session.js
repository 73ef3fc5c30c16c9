import { application } from "../namespace.js";
import { FIELD_KEY } from "../protocol.js";
import { crosstab } from "./crosstab.js";

const KEY = `sse:session:${application}`;

/**
 * Return the user of the browser's session, if a tab has reported it: the mark of a user, or "" for nobody.
 *
 * @returns {string | undefined}
 */
export function currentSession() {
  return crosstab(application).get(KEY);
}

/**
 * Report the user of the session to all tabs. Fields that another user has typed are deleted from the browser's storage.
 *
 * @param {string} mark
 */
export function setSession(mark) {
  if (currentSession() === mark) return;
  if (currentSession() !== undefined) forgetFields();
  crosstab(application).set(KEY, mark);
}

/**
 * Call a listener when a tab reports the user of the session.
 *
 * @param {(mark: string, isOurs: boolean) => void} listener `isOurs` is true if this tab did
 * @returns {() => void} removes the listener
 */
export function onSession(listener) {
  return crosstab(application).subscribe(KEY, (mark, isOurs) => {
    if (mark === "") forgetFields();
    listener(mark, isOurs);
  });
}

function forgetFields() {
  crosstab().forget(`${FIELD_KEY}${application}.`);
}
