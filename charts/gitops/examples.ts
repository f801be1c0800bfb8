// The examples of docs/how-to/gitops.md, for tests: what people copy is what is tried.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** The example of the page whose text has this word. */
export function fromDocs<T>(word: string): T {
  const page = readFileSync(new URL('../../docs/how-to/gitops.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
  const found = examples.filter(text => text.includes(word));
  if (found.length !== 1) throw new Error(`${found.length} examples of the page have ${word}, not one`);
  return parse(found.join()) as T;
}
