import assert from "node:assert/strict";
import { it } from "node:test";
import { createParser } from "eventsource-parser";
import { EventStreamParser } from "../../../static/stream/parser.js";

const STREAMS = Number(process.env.SSE_CONFORMANCE_STREAMS ?? 2000);
const WORDS = [
  "data",
  "event",
  "id",
  "retry",
  "dat",
  "",
  "x",
  ":",
  ": ",
  " ",
  "\0",
  "add",
  "1",
  "Ä",
  "€",
  "😀",
  ":comment",
  "data:",
  "data: ",
  "event: ",
  "id: ",
  "retry: ",
]; // prettier-ignore
const ENDS = ["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n"];

/**
 * Return a random generator of whole numbers below a limit (mulberry32), which gives the same numbers for the same seed.
 *
 * @param {number} seed
 */
function chance(seed) {
  return (/** @type {number} */ limit) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** @param {number} seed */
function randomStream(seed) {
  const below = chance(seed);
  const line = () =>
    Array.from({ length: below(5) }, () => WORDS[below(WORDS.length)]).join("") + ENDS[below(ENDS.length)];
  // The line at the end: the other parser looks at what follows a CR.
  const bytes = new TextEncoder().encode(`${Array.from({ length: 1 + below(30) }, line).join("")}:\n`);
  const cuts = [0, below(bytes.length + 1), below(bytes.length + 1), bytes.length].sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

it(`events of ${STREAMS} random streams are those of eventsource-parser`, () => {
  for (let seed = 0; seed < STREAMS; seed += 1) {
    /** @type {string[][]} */
    const ours = [];
    /** @type {string[][]} */
    const theirs = [];
    const parser = new EventStreamParser({ onEvent: ({ type, data }) => ours.push([type, data]) });
    const other = createParser({ onEvent: ({ event = "message", data }) => theirs.push([event, data]) });
    const decoder = new TextDecoder();
    for (const chunk of randomStream(seed)) {
      parser.feed(chunk);
      other.feed(decoder.decode(chunk, { stream: true }));
    }
    assert.deepEqual(ours, theirs, `seed ${seed}`);
  }
});
