// No module, and so run while the page is still parsed: the field before this script's tag gets what the browser remembers of
// it, and <html> the attribute that it stands for, before anything is painted.

(() => {
  const field = document.currentScript?.previousElementSibling;
  if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)) return;
  const { sseSynced, sseAttribute, sseOn = "", sseOff = "", sseMedia } = field.dataset;
  const isSwitch = field instanceof HTMLInputElement && field.type === "checkbox";

  // What is typed, or taken back, before the module is there, it finds marked.
  const mark = () => field.setAttribute("data-sse-typed", "");
  field.addEventListener("input", mark);
  field.form?.addEventListener("reset", mark);

  const value = remembered(sseSynced);
  if (value !== undefined && !isSwitch) field.value = value;
  if (!isSwitch) return;
  if (value !== undefined) field.checked = value === "true";
  if (!sseAttribute) return;

  const root = document.documentElement;
  const system = sseMedia ? matchMedia(sseMedia) : null;
  if (value === undefined && !isSaid()) follow();
  else if (value === undefined) field.checked = isOn();
  else say();
  field.addEventListener("input", say);
  field.addEventListener("sse:synced", say);
  system?.addEventListener("change", () => {
    if (field.isConnected && !isSaid()) follow();
  });

  /** Until somebody has chosen, the system decides, and the page follows it by itself. */
  function follow() {
    const box = /** @type {HTMLInputElement} */ (field);
    if (system) box.checked = system.matches;
    else say();
  }

  function say() {
    const { checked } = /** @type {HTMLInputElement} */ (field);
    const [now, before] = checked ? [sseOn, sseOff] : [sseOff, sseOn];
    if (sseAttribute !== "class") return root.setAttribute(sseAttribute ?? "", now);
    if (before) root.classList.remove(before);
    if (now) root.classList.add(now);
  }

  /** Whether <html> says either already. */
  function isSaid() {
    return sseAttribute === "class" ? isOn() : [sseOn, sseOff].includes(root.getAttribute(sseAttribute ?? "") ?? "\0");
  }

  function isOn() {
    return sseAttribute === "class" ? root.classList.contains(sseOn) : root.getAttribute(sseAttribute ?? "") === sseOn;
  }

  /** @param {string | undefined} key */
  function remembered(key) {
    try {
      return JSON.parse(localStorage.getItem(key ?? "") ?? "{}").value;
    } catch {
      return undefined; // blocked, or not ours
    }
  }
})();
