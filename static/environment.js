import { withoutPassword } from "./address.js";

/**
 * @typedef {object} Environment what the kit needs from the browser; tests pass their own
 * @property {() => number} now milliseconds since the epoch
 * @property {() => number} monotonic milliseconds since some moment; setting the clock does not change it
 * @property {(callback: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random from 0 up to 1
 * @property {typeof globalThis.fetch} fetch
 * @property {(address: string, body: string) => void} sendBeacon sends what arrives even if the page is left
 * @property {() => boolean} online
 */

/**
 * The page or worker that a module runs in.
 *
 * @type {Environment}
 */
export const environment = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, milliseconds) => globalThis.setTimeout(callback, milliseconds),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  random: () => Math.random(),
  fetch: (address, init) => globalThis.fetch(address instanceof Request ? address : withoutPassword(address), init),
  sendBeacon: (address, body) => {
    globalThis.navigator?.sendBeacon?.(withoutPassword(address), body);
  },
  online: () => globalThis.navigator?.onLine !== false,
};
