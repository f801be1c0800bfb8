/**
 * What is in a text that others may have written, an annotation above all: undefined for one that is no JSON, for an
 * empty one and for none. Of ten thousand objects most have none, and an error takes fifty microseconds.
 */
export function jsonOf(text: string | undefined): unknown {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
