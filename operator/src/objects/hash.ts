import { sha256 } from '../api/sha256.ts';

/** JSON with the keys of every object sorted, so that equal values are equal text. Undefined fields are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (isRecord(item) ? sorted(item) : item));
}

/** Ten hex digits of the value's sha256: short enough for names and labels, 40 bits against accidents. */
export function shortHash(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 10);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
