/** @typedef {HTMLInputElement | HTMLTextAreaElement} Field */

/**
 * Return what a field holds, as text; of a switch, whether it is on.
 *
 * @param {Field} field
 */
export function read(field) {
  return isSwitch(field) ? String(field.checked) : field.value;
}

/**
 * Return what a field holds when its form is reset.
 *
 * @param {Field} field
 */
export function initial(field) {
  return isSwitch(field) ? String(field.defaultChecked) : field.defaultValue;
}

/**
 * Let a field hold something else, and tell of it (`sse:synced`). The caret stays where it is in the text: before or behind
 * what has changed.
 *
 * @param {Field} field
 * @param {string} text
 */
export function write(field, text) {
  if (read(field) === text) return;
  if (isSwitch(field)) field.checked = text === "true";
  else replace(field, text);
  field.dispatchEvent(new Event("sse:synced", { bubbles: true }));
}

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
function isSwitch(field) {
  return field.type === "checkbox";
}

/**
 * @param {Field} field
 * @param {string} text
 */
function replace(field, text) {
  const { value: old, selectionStart, selectionEnd, scrollTop } = field;
  field.value = text;
  if (document.activeElement !== field || selectionStart === null || selectionEnd === null) return;
  field.setSelectionRange(moved(selectionStart, old, text), moved(selectionEnd, old, text));
  field.scrollTop = scrollTop;
}

/**
 * Return where a place in a text is after a change of the text.
 *
 * @param {number} place
 * @param {string} old
 * @param {string} text
 */
export function moved(place, old, text) {
  const shorter = Math.min(old.length, text.length);
  let start = 0;
  while (start < shorter && old[start] === text[start]) start += 1;
  if (place <= start) return place;
  let end = 0;
  while (end < shorter - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  return place >= old.length - end ? place + text.length - old.length : Math.min(place, text.length - end);
}
