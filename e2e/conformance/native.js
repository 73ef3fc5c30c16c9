// The browser's own EventSource.

import { TYPES } from "./observe.js";

export function follow(url, onEvent, onEnd) {
  const source = new EventSource(url);
  for (const type of TYPES)
    source.addEventListener(type, ({ data, lastEventId }) => onEvent(type, data, lastEventId));
  source.onerror = () => onEnd(source.readyState === EventSource.CLOSED);
  return () => source.close();
}
