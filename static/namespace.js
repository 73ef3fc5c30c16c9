import { dom } from "./dom.js";
import { FIELD_KEY, NAMESPACE_ATTRIBUTE } from "./protocol.js";

/**
 * Whose page this is, as `<application>.<principal>`: a browser keeps what belongs to it under this name, so that neither another
 * application of the same origin nor the next user comes across it. An application is another one at another mount. Nobody's
 * principal is "". The server writes it into the tag of `index.js`.
 */
export const namespace =
  dom(globalThis.document)?.querySelector(`script[${NAMESPACE_ATTRIBUTE}]`)?.getAttribute(NAMESPACE_ATTRIBUTE) ?? "";

/** The part of it that all users share. */
export const application = applicationOf(namespace);

/** @param {string} name */
export function applicationOf(name) {
  return name.split(".")[0];
}

/**
 * Return the namespace in a key under which a browser keeps a value, such as `sse:field:<namespace>:<name>`.
 *
 * @param {string} key
 */
export function namespaceOf(key) {
  return key.split(":")[2] ?? "";
}

/**
 * Tell whether a key is that of a field which another user of this application has filled in.
 *
 * @param {string} key
 */
export function isFieldOfAnotherUser(key) {
  const other = namespaceOf(key);
  const isUsers = !other.endsWith(".") && !namespace.endsWith(".");
  return key.startsWith(FIELD_KEY) && applicationOf(other) === application && other !== namespace && isUsers;
}
