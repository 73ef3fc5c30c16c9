// A classic script, which runs while the page is still parsed. It gives the field before its tag the value that the browser has
// stored, and <html> the attribute that a switch stands for, before anything is painted.
// It cannot import the names of `protocol.js`; a test compares them.

(() => {
  // As the interface has them: names in users' HTML shadow the properties of the document and of forms.
  const script = /** @type {HTMLScriptElement | null} */ (Reflect.get(Document.prototype, "currentScript", document));
  const root = /** @type {HTMLElement} */ (Reflect.get(Document.prototype, "documentElement", document));
  const field = script?.previousElementSibling;
  if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)) return;
  const { sseSynced, sseAttribute, sseOn = "", sseOff = "", sseMedia } = field.dataset;
  const isSwitch = field instanceof HTMLInputElement && field.type === "checkbox";

  // The component finds here that the field was edited or reset before it was attached.
  const markTyped = () => field.setAttribute("data-sse-typed", "");
  field.addEventListener("input", markTyped);
  if (field.form) EventTarget.prototype.addEventListener.call(field.form, "reset", markTyped);

  const value = readStored(sseSynced);
  if (value !== undefined && !isSwitch) field.value = value;
  if (!isSwitch) return;
  if (value !== undefined) field.checked = value === "true";
  if (!sseAttribute) return;

  const system = sseMedia ? matchMedia(sseMedia) : null;
  if (value === undefined && !hasRootValue()) followSystem();
  else if (value === undefined) field.checked = isRootOn();
  else setRoot();
  field.addEventListener("input", setRoot);
  field.addEventListener("sse:synced", setRoot);
  system?.addEventListener("change", () => {
    if (field.isConnected && !hasRootValue()) followSystem();
  });

  /** Until somebody chooses, the system decides, and the page's style sheet follows it by itself. */
  function followSystem() {
    const checkbox = /** @type {HTMLInputElement} */ (field);
    if (system) checkbox.checked = system.matches;
    else setRoot();
  }

  function setRoot() {
    const { checked } = /** @type {HTMLInputElement} */ (field);
    const [added, removed] = checked ? [sseOn, sseOff] : [sseOff, sseOn];
    if (sseAttribute !== "class") return root.setAttribute(sseAttribute ?? "", added);
    if (removed) root.classList.remove(removed);
    if (added) root.classList.add(added);
  }

  /** Whether <html> has one of the two values. */
  function hasRootValue() {
    if (sseAttribute === "class") return isRootOn();
    return [sseOn, sseOff].includes(root.getAttribute(sseAttribute ?? "") ?? "\0");
  }

  function isRootOn() {
    return sseAttribute === "class" ? root.classList.contains(sseOn) : root.getAttribute(sseAttribute ?? "") === sseOn;
  }

  /**
   * Return a stored value, but not on a page from the history, after somebody else has signed in or out.
   *
   * @param {string} [key]
   */
  function readStored(key = "") {
    const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    const namespace = key.split(":")[2] ?? "";
    try {
      const last = localStorage.getItem(`sse:principal:${namespace.split(".")[0]}`) ?? namespace;
      if (entry?.type === "back_forward" && namespace.includes(".") && last !== namespace) return undefined;
      return JSON.parse(localStorage.getItem(key) ?? "{}").value;
    } catch {
      return undefined; // storage is blocked, or the entry is not the kit's
    }
  }
})();
