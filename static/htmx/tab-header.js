import { dom } from "../dom.js";
import { tabId } from "../page/tab.js";
import { TAB_HEADER } from "../protocol.js";

/**
 * Add the name of this tab to a request to this page's server. No other server may know it.
 *
 * @param {Record<string, string>} headers
 * @param {string} address
 */
export function addTabHeader(headers, address) {
  if (new URL(address, dom(document).baseURI).origin === location.origin) headers[TAB_HEADER] = tabId;
}
