// What its author says about a migration, in the comments before its first statement.

/** `-- devshelf:<word> <why>`, by word. */
export type Marks = ReadonlyMap<string, string>;

const MARK = /^--\s*devshelf:(\S+)[ \t]*(.*?)\s*$/;
const KNOWN: readonly string[] = ['no-transaction', 'contract', 'expand', 'irreversible'];

/** Only comments before the first statement: whatever a string or a function's body holds marks nothing. */
export function marksOf(sql: string): Marks {
  const marks = new Map<string, string>();
  for (const line of sql.split('\n')) {
    const text = line.trim();
    if (text !== '' && !text.startsWith('--')) break;
    const [, word, why = ''] = MARK.exec(text) ?? [];
    if (word !== undefined) marks.set(word, why);
  }
  return marks;
}

/** What is wrong with marks whatever the migration does. */
export function markFaults(marks: Marks): readonly string[] {
  const unknown = [...marks.keys()].filter(word => !KNOWN.includes(word));
  const mute = [...marks].filter(([word, why]) => why === '' && KNOWN.includes(word) && word !== 'no-transaction');
  const both = marks.has('contract') && marks.has('expand');
  return [
    ...unknown.map(word => `-- devshelf:${word} is not a mark: ${KNOWN.join(', ')} are`),
    ...mute.map(([word]) => `-- devshelf:${word} says nothing after it: say why`),
    ...(both ? ['is marked contract and expand: it is one of them'] : []),
  ];
}
