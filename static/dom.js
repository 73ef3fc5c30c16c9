// Users' HTML must not reach the kit: `<form><input name="id">` shadows the form's `id`, and `<img name="body">` the document's
// `body`. So the kit reads them as their interfaces have them, whatever names a page's HTML has.

/** @type {WeakMap<object, any>} */
const views = new WeakMap();

/**
 * Return what to read the properties of an element or a document from, and to call its methods on: itself, unless names in
 * HTML may shadow them. Pass the element itself to others, not the view.
 *
 * @template T
 * @param {T} object
 * @returns {T}
 */
export function dom(object) {
  return isClobbered(object) ? viewOf(object) : object;
}

/**
 * @param {unknown} object
 * @returns {object is object}
 */
function isClobbered(object) {
  if (typeof HTMLFormElement === "undefined") return false; // a worker, or a test
  return object instanceof HTMLFormElement || object instanceof Document;
}

/** @param {object} object */
function viewOf(object) {
  const view = views.get(object) ?? new Proxy(object, { get: read, set: write });
  views.set(object, view);
  return view;
}

/**
 * @param {object} object
 * @param {PropertyKey} name
 */
function read(object, name) {
  const value = Reflect.get(Object.getPrototypeOf(object), name, object);
  return typeof value === "function" ? value.bind(object) : value;
}

/**
 * @param {object} object
 * @param {PropertyKey} name
 * @param {unknown} value
 */
function write(object, name, value) {
  return Reflect.set(Object.getPrototypeOf(object), name, value, object);
}
