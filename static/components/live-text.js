// What a screen reader is given of one announcement.
const LONGEST = 1_000;

/**
 * Say what an element shows to a screen reader: a change at once, and after that the latest value once in a while. The
 * element itself is no live region, for that would say every change.
 *
 * @param {HTMLElement} element
 */
export function attach(element) {
  const { sseLiveText: live = "polite", sseLabel: label, ssePause: pause } = element.dataset;
  const announcer = newAnnouncer(live);
  let said = element.textContent;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pausing;
  const announce = () => {
    pausing = undefined;
    if (element.textContent === said) return;
    said = element.textContent;
    if (!announcer.isConnected) placeFor(element).append(announcer);
    announcer.textContent = [label, said?.slice(0, LONGEST)].filter(Boolean).join(": ");
    pausing = setTimeout(announce, Number(pause));
  };
  const observer = new MutationObserver(() => {
    if (pausing === undefined) announce();
  });
  placeFor(element).append(announcer);
  observer.observe(element, { childList: true, characterData: true, subtree: true });
  return () => {
    observer.disconnect();
    clearTimeout(pausing);
    announcer.remove();
  };
}

/** @param {string} live */
function newAnnouncer(live) {
  const announcer = document.createElement("div");
  announcer.className = "sse-announcer";
  announcer.setAttribute("aria-live", live);
  announcer.setAttribute("aria-atomic", "true");
  return announcer;
}

/**
 * What is outside of a modal dialog is not heard while it is open.
 *
 * @param {Element} element
 */
function placeFor(element) {
  return element.closest("dialog") ?? document.body;
}
