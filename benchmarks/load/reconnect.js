// Clients that lose their stream and reconnect: `node reconnect.js URL CLIENTS jitter|none`.
//
// Each client is a StreamReader, as in a browser. The program prints "open" when all streams are open. When all have been
// lost and are open again, it prints JSON: the times of all tries, the times of those that were answered (milliseconds since
// the epoch), and the largest delay of this process in milliseconds. A try counts from when it is due: a thousand browsers
// can start at once, but this one process needs half a second.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { StreamReader } from "../../static/stream/stream-reader.js";
import { RETRY_BASE_MS } from "../../static/protocol.js";
import { decide } from "../../static/stream/retry-policy.js";

const [url, count, jitter] = process.argv.slice(2);
const clients = Number(count);

/** The same back-off without jitter: all clients wait until the end of each range, and ignore the server's `retry`. */
const together = (loss) => decide({ ...loss, base: RETRY_BASE_MS, random: () => 1 });

const lateness = monitorEventLoopDelay();
const tries = [];
const answered = [];
let opened = 0;

function connect() {
  let due = 0;
  let state = "new";
  const onLoss = ({ delay }) => {
    if (state === "new") throw new Error("a client could not open its stream");
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

for (let number = 0; number < clients; number++) connect();
