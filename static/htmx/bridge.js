import { Htmx2 } from "./htmx2.js";
import { Htmx4 } from "./htmx4.js";

/** @type {Htmx2 | Htmx4 | null} */
let bridge = null;

/** Connect the kit to the page's htmx, whichever generation it is. Each of the kit's scripts may call this. */
export function installBridge() {
  const htmx = Reflect.get(globalThis, "htmx");
  if (!htmx) throw new Error("sse_components needs htmx: load it before this module");
  if (bridge) return;
  bridge = String(htmx.version).startsWith("4") ? new Htmx4(htmx) : new Htmx2(htmx);
  bridge.install();
}
