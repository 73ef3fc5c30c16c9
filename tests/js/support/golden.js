import { readFileSync } from "node:fs";

/**
 * @param {string} name of a file in tests/golden
 * @returns {any[]}
 */
export function golden(name) {
  return JSON.parse(readFileSync(new URL(`../../golden/${name}`, import.meta.url), "utf8"));
}
