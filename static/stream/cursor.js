/** @typedef {{ epoch: string, sequence: number }} Cursor a position in the server's log */

/**
 * Parse the id of an event in the server's log.
 *
 * @param {string} id
 * @returns {Cursor | null} null if it is no such id
 */
export function parseCursor(id) {
  const [, epoch, sequence] = /^(.+)-(\d+)$/.exec(id) ?? [];
  return epoch ? { epoch, sequence: Number(sequence) } : null;
}

/**
 * Return whether a client that has reached `reached` has already received the event at `position`. Positions of different
 * epochs cannot be compared.
 *
 * @param {Cursor | null} position
 * @param {Cursor | null} reached
 */
export function isCoveredBy(position, reached) {
  return position !== null && position.epoch === reached?.epoch && position.sequence <= reached.sequence;
}
