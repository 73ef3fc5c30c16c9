// Pages that lose their stream: `node reconnect.js URL CLIENTS jitter|none`.
//
// Each is a StreamReader, as browsers run it. When all are open it says "open". When all have been lost and are
// open again, it says when they tried, and when those tries were that were answered (milliseconds since the epoch), and by
// how many milliseconds at most this process was late. A try counts when it is due: a thousand browsers can begin at once,
// where one process needs half a second.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { StreamReader } from "../../static/stream/stream-reader.js";
import { RETRY_BASE_MS } from "../../static/protocol.js";
import { decide } from "../../static/stream/retry-policy.js";

const [url, count, jitter] = process.argv.slice(2);
const clients = Number(count);

/** The same back-off without jitter: everybody waits to the end of each range, and for nobody the server's is another. */
const together = (loss) => decide({ ...loss, base: RETRY_BASE_MS, random: () => 1 });

const lateness = monitorEventLoopDelay();
const tries = [];
const answered = [];
let opened = 0;

function visit() {
  let due = 0;
  let state = "new";
  const onLoss = ({ delay }) => {
    if (state === "new") throw new Error("a client has not got its stream");
    if (state === "back") return;
    state = "lost";
    due = Date.now() + delay;
    tries.push(due);
  };
  const onOpen = () => {
    if (state === "new") first();
    else if (state === "lost") again(due);
    state = state === "new" ? "open" : "back";
  };
  new StreamReader(url, { onLoss, onOpen, onEvent: () => {} }, { policy: jitter === "none" ? together : decide });
}

function first() {
  if (++opened < clients) return;
  lateness.enable();
  console.log("open");
}

/** @param {number} due */
function again(due) {
  answered.push(due);
  if (answered.length < clients) return;
  console.log(JSON.stringify({ tries, answered, late: lateness.max / 1e6 }));
  process.exit();
}

for (let number = 0; number < clients; number++) visit();
