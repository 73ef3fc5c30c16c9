/** Every source of this page that has not been closed. @type {Set<import("./page-source.js").PageSource>} */
export const sources = new Set();
