/** One statement of a file, with what precedes it since the last semicolon. */
export type Statement = {
  readonly sql: string;
  /** where it begins in the file, in characters */
  readonly at: number;
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

/**
 * The statements of a file, for those that must be sent one at a time: several in one message are one transaction to
 * PostgreSQL. What is only blanks and comments is left out. A function's body may be quoted, not `BEGIN ATOMIC`.
 */
export function statementsOf(file: string): readonly Statement[] {
  const found: Statement[] = [];
  let at = 0;
  let says = false;
  const end = (position: number) => {
    if (says) found.push({ sql: file.slice(at, position), at });
    at = position + 1;
    says = false;
  };
  for (let position = 0; position < file.length; ) {
    const next = afterPart(file, position);
    if (file[position] === ';') end(position);
    else if (!isSilent(file, position)) says = true;
    position = next;
  }
  end(file.length);
  return found;
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
