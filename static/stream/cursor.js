/** @typedef {{ epoch: string, sequence: number }} Cursor a place in the server's log */

/**
 * Read the id of a message in the server's log.
 *
 * @param {string} id
 * @returns {Cursor | null} null if it is not one
 */
export function cursor(id) {
  const [, epoch, sequence] = /^(.+)-(\d+)$/.exec(id) ?? [];
  return epoch ? { epoch, sequence: Number(sequence) } : null;
}

/**
 * Tell whether a place is not behind another one of the same log.
 *
 * @param {Cursor | null} place
 * @param {Cursor | null} other
 */
export function isPast(place, other) {
  return place !== null && place.epoch === other?.epoch && place.sequence <= other.sequence;
}
