// What the conformance tests ask of an implementation: `follow`. This is the kit's.

import { StreamReader } from "/static/stream/stream-reader.js";

/**
 * Follow a stream.
 *
 * @param {string} url
 * @param {(type: string, data: string, lastEventId: string) => void} onEvent
 * @param {(isFinal: boolean) => void} onEnd called when the stream has ended or has failed
 * @returns {() => void} closes it
 */
export function follow(url, onEvent, onEnd) {
  const callbacks = {
    onEvent: ({ type, data, lastEventId }) => onEvent(type, data, lastEventId),
    onLoss: ({ final }) => onEnd(final),
  };
  const reader = new StreamReader(url, callbacks, { heartbeat: 0 });
  return () => reader.close();
}
