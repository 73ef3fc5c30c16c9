// When to reconnect: within the limits of this script's tag, and at once when there is new hope.

import { healNow } from "./heal.js";
import { installBridge } from "./htmx-bridge.js";
import { sourceOptions } from "./page-source.js";
import { RECONNECT_ATTRIBUTE, RETRY_CAP_MS } from "./protocol.js";
import { decide } from "./retry-policy.js";
import { scriptOptions } from "./script-options.js";
import { sources } from "./sources.js";

const options = scriptOptions(RECONNECT_ATTRIBUTE, {
  checkInterval: RETRY_CAP_MS,
  maxRetries: Number.POSITIVE_INFINITY,
  debug: false,
});

/** @param {import("./retry-policy.js").Loss} loss */
sourceOptions.policy = (loss) => {
  const decision = decide({ ...loss, cap: options.checkInterval });
  const givenUp = decision.tries > options.maxRetries;
  const outcome = givenUp ? { ...decision, final: true, delay: 0, binding: false } : decision;
  if (options.debug) console.info("sse: connection lost", { ...loss, ...outcome });
  return outcome;
};

installBridge();

function tryNow() {
  for (const source of sources) source.reconnectNow();
  healNow();
}

addEventListener("online", tryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) tryNow();
});
