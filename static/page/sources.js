/** The sources of this page that have not been closed. @type {Set<import("./page-source.js").PageSource>} */
export const sources = new Set();
