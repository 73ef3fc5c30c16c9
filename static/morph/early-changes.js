// A classic script, before all others: it notes what scripts change while the page is still parsed, so that this does not count
// as said by the server. The parser itself only appends; what a script appends looks the same, and is not noticed.
// It cannot import the names of `protocol.js`; a test compares them.

(() => {
  /** @type {MutationRecord[]} */
  const changes = [];
  const observer = new MutationObserver(note);
  const all = { subtree: true, childList: true, attributeOldValue: true, characterDataOldValue: true };
  observer.observe(document, all);
  document.addEventListener("sse:early", give, { once: true });
  document.addEventListener("DOMContentLoaded", () => observer.disconnect(), { once: true });

  /** @param {MutationRecord[]} records */
  function note(records) {
    for (const record of records) if (!isParsers(record)) changes.push(record);
  }

  /** @param {MutationRecord} record */
  function isParsers({ type, target, oldValue, removedNodes, nextSibling }) {
    if (type === "childList") return removedNodes.length === 0 && nextSibling === null;
    return type === "characterData" && (target.nodeValue ?? "").startsWith(oldValue ?? "");
  }

  /** @param {Event} event */
  function give(event) {
    note(observer.takeRecords());
    observer.disconnect();
    /** @type {CustomEvent} */ (event).detail.push(...changes);
  }
})();
