import { dom } from "../dom.js";

/** @typedef {HTMLInputElement | HTMLTextAreaElement} Field */

const SYNCED_EVENT = "sse:synced";

/**
 * Return the value of a field as text: of a checkbox, whether it is checked.
 *
 * @param {Field} field
 */
export function readField(field) {
  return isCheckbox(field) ? String(field.checked) : field.value;
}

/**
 * Return the value that a field has when its form is reset.
 *
 * @param {Field} field
 */
export function readDefault(field) {
  return isCheckbox(field) ? String(field.defaultChecked) : field.defaultValue;
}

/**
 * Set the value of a field, and dispatch `sse:synced`. The caret keeps its place in the text, before or after the change.
 *
 * @param {Field} field
 * @param {string} value
 */
export function writeField(field, value) {
  if (readField(field) === value) return;
  if (isCheckbox(field)) field.checked = value === "true";
  else replaceText(field, value);
  field.dispatchEvent(new Event(SYNCED_EVENT, { bubbles: true }));
}

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
function isCheckbox(field) {
  return field.type === "checkbox";
}

/**
 * @param {Field} field
 * @param {string} text
 */
function replaceText(field, text) {
  const { value: before, selectionStart, selectionEnd, scrollTop } = field;
  field.value = text;
  if (dom(document).activeElement !== field || selectionStart === null || selectionEnd === null) return;
  field.setSelectionRange(moveOffset(selectionStart, before, text), moveOffset(selectionEnd, before, text));
  field.scrollTop = scrollTop;
}

/**
 * Return where an offset in a text is after the text has changed.
 *
 * @param {number} offset
 * @param {string} before
 * @param {string} after
 */
export function moveOffset(offset, before, after) {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  if (offset <= start) return offset;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const isBehindChange = offset >= before.length - end;
  return isBehindChange ? offset + after.length - before.length : Math.min(offset, after.length - end);
}
