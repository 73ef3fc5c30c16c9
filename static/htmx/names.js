// What htmx 2 and htmx 4 call things. htmx 4 names an event in one of two ways, by its `metaCharacter`.

/** An element whose content neither generation replaces. */
export const PRESERVED = "[hx-preserve], [data-hx-preserve]";

/** Marks the elements that htmx 4 has processed: it cleans up only those. */
export const PROCESSED_ATTRIBUTE = "data-htmx-powered";

/** Attributes by which htmx processes an element. The kit connects its streams by itself. */
export const PROCESSED_BY = /^(?:data-)?hx-(?!sse)/;
/** What htmx 4 reads the address of an element's stream from. */
export const CONNECTING_ATTRIBUTES = ["hx-sse-connect", "hx-sse:connect"];

/** An element that sends a request by htmx. */
export const REQUESTING =
  "[hx-get], [hx-post], [hx-put], [hx-patch], [hx-delete], [hx-boost='true'], [hx-boost='true'] *";

export const BEFORE_REQUEST_EVENTS = ["htmx:beforeRequest", "htmx:before:request", "htmx-before-request"];
/** Fired after a response, of whatever status. */
export const AFTER_REQUEST_EVENTS = ["htmx:afterRequest", "htmx:after:request", "htmx-after-request"];
/** Fired after a request, whether or not there was a response. */
export const END_OF_REQUEST_EVENTS = ["htmx:afterRequest", "htmx:finally:request", "htmx-finally-request"];
export const FAILED_REQUEST_EVENTS = [
  "htmx:sendError",
  "htmx:responseError",
  "htmx:timeout",
  "htmx:error",
  "htmx-error",
  "htmx:response:error",
  "htmx-response-error",
];

/**
 * Tell whether one of the `AFTER_REQUEST_EVENTS` reports a failure.
 *
 * @param {Event} event
 */
export function hasFailed(event) {
  const { successful, ctx } = /** @type {CustomEvent} */ (event).detail || {};
  return successful === false || ctx?.response?.status >= 400;
}
