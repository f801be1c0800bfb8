// What the cluster says, on its way to a terminal: whoever writes an image's name or a condition may not move the cursor,
// colour a line or turn its direction, and a secret that got there is not repeated.
import { hideSecrets } from '../api/words.ts';

/** C0, DEL, C1, and what turns or hides text (bidirectional marks, zero-width characters, the byte-order mark). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/** Names of fields and short words, which most strings are: nothing below finds anything in them. */
const WORD = /^(?!eyJ)[A-Za-z][a-zA-Z0-9]{0,22}$/;

/** One line of text that draws nothing but itself. */
export const plain = (text: string): string => (WORD.test(text) ? text : hideSecrets(text.replaceAll(UNSAFE, ' ')));

/** The same for every string in a value, names of fields included. */
export function safe<T>(value: T): T {
  return mapped(value) as T;
}

function mapped(value: unknown): unknown {
  if (typeof value === 'string') return plain(value);
  if (Array.isArray(value)) return value.map(mapped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [plain(name), mapped(one)]));
}
