// 1,000 pages in one process: `node reconnect.js URL CLIENTS jitter|none`.
//
// Each is a FetchEventSource, the one that browsers run. When all are open it says "open"; when all have lost their stream
// and are open again, it prints when they tried, and when those tries began that were answered: milliseconds since the epoch.

import { FetchEventSource } from "../../static/event-source.js";
import { RETRY_BASE_MS } from "../../static/protocol.js";
import { decide } from "../../static/retry-policy.js";

const [url, clients, jitter] = process.argv.slice(2);

/** What everybody does without jitter: the same back-off, each time to its end, whatever the server says. */
const together = (loss) => decide({ ...loss, base: RETRY_BASE_MS, random: () => 1 });

const tries = [];
const answered = [];
let open = 0;

function visit() {
  let last = 0;
  let lost = false;
  let back = false;
  const source = new FetchEventSource(url, {
    policy: jitter === "none" ? together : decide,
    fetch: (...request) => {
      last = Date.now();
      if (lost) tries.push(last);
      return fetch(...request);
    },
  });
  source.addEventListener("error", () => {
    lost = true;
  });
  source.addEventListener("open", () => {
    if (lost && !back) answered.push(last);
    back = lost;
    if (!lost && ++open === Number(clients)) console.log("open");
    if (answered.length === Number(clients)) report();
  });
}

function report() {
  console.log(JSON.stringify({ tries, answered }));
  process.exit();
}

for (let number = 0; number < Number(clients); number++) visit();
