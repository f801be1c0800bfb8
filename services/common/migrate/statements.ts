/** One statement of a file, with what precedes it since the last semicolon. */
export type Statement = {
  readonly sql: string;
  /** where it begins in the file, in characters */
  readonly at: number;
  /** its first words, in capitals */
  readonly words: readonly string[];
};

// What may hold a semicolon that ends nothing, as PostgreSQL's lexer reads it (section 4.1 of its manual). A name is
// taken whole, lest the dollar or the E within one open a string; a string that never ends takes the rest of the file.
const PARTS = [
  /--[^\n]*/,
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/,
  /'(?:[^']|'')*(?:'|$)/,
  /"(?:[^"]|"")*(?:"|$)/,
  /\$((?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?(?:\$\1\$|$)/,
  /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/,
  /\d[\w$]*/,
];
const PART = new RegExp(PARTS.map(({ source }) => source).join('|'), 'y');
const COMMENT_EDGE = /\/\*|\*\//g;
const WORD = /^[A-Za-z_][\w$]*$/;
const WORDS_KEPT = 6;

/**
 * The statements of a file, for those that must be sent one at a time: several in one message are one transaction to
 * PostgreSQL. What is only blanks and comments is left out.
 */
export function statementsOf(file: string): readonly Statement[] {
  const found: Statement[] = [];
  let at = 0;
  let reader = statementReader();
  const end = (position: number) => {
    const words = reader.words();
    if (words !== undefined) found.push({ sql: file.slice(at, position), at, words });
    at = position + 1;
    reader = statementReader();
  };
  for (let position = 0; position < file.length; ) {
    const next = afterPart(file, position);
    if (file[position] === ';' && !reader.isInside()) end(position);
    else if (!isSilent(file, position)) reader.take(file.slice(position, next));
    position = next;
  }
  end(file.length);
  return found;
}

const ROUTINE = /^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)\b/;

/**
 * Knows which semicolons end nothing, by psql's rule: those between parentheses (CREATE RULE), and those of a routine's
 * body between BEGIN ATOMIC and its END, where a CASE has an END of its own.
 */
function statementReader() {
  const words: string[] = [];
  let says = false;
  let parentheses = 0;
  let blocks = 0;
  let before = '';
  const takeWord = (word: string) => {
    if (words.length < WORDS_KEPT) words.push(word);
    if (parentheses > 0 || !ROUTINE.test(words.join(' '))) return;
    if (word === 'ATOMIC' && before === 'BEGIN') blocks = 1;
    else if (word === 'CASE' && blocks > 0) blocks += 1;
    else if (word === 'END' && blocks > 0) blocks -= 1;
  };
  return {
    take(part: string) {
      says = true;
      if (part === '(') parentheses += 1;
      if (part === ')') parentheses -= 1;
      const word = WORD.test(part) ? part.toUpperCase() : '';
      if (word !== '') takeWord(word);
      before = word;
    },
    isInside: () => parentheses > 0 || blocks > 0,
    /** Undefined when nothing was said. */
    words: () => (says ? words : undefined),
  };
}

const isSilent = (file: string, position: number) =>
  /\s/.test(file[position] ?? '') || file.startsWith('--', position) || file.startsWith('/*', position);

function afterPart(file: string, position: number): number {
  if (file.startsWith('/*', position)) return afterComment(file, position);
  PART.lastIndex = position;
  return PART.test(file) ? PART.lastIndex : position + 1;
}

/** Comments nest, and one that never ends takes the rest of the file, too. */
function afterComment(file: string, position: number): number {
  let depth = 0;
  COMMENT_EDGE.lastIndex = position;
  for (let edge = COMMENT_EDGE.exec(file); edge !== null; edge = COMMENT_EDGE.exec(file)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  return file.length;
}

const DOLLAR_QUOTES = /^\$\w*\$|\$\w*\$$/g;

/**
 * What a statement says, in single blanks, without comments. Strings are emptied, or opened where what they hold is run
 * as well (DO, EXECUTE).
 */
export function plainOf(sql: string, opensStrings = false): string {
  let plain = '';
  for (let position = 0; position < sql.length; ) {
    const next = afterPart(sql, position);
    plain += isSilent(sql, position) ? ' ' : shownPart(sql.slice(position, next), opensStrings);
    position = next;
  }
  return plain.replace(/\s+/g, ' ').trim();
}

function shownPart(part: string, opensStrings: boolean): string {
  const isDollarQuoted = /^\$\w*\$/.test(part);
  if (!isDollarQuoted && !/^[eE]?'/.test(part)) return part;
  if (!opensStrings) return "''";
  if (isDollarQuoted) return ` ${plainOf(part.replace(DOLLAR_QUOTES, ''), true)} `;
  return ` ${part.replace(/^[eE]?'|'$/g, '')} `;
}
