import type { Migration } from './files.ts';

/**
 * Statements that the release which runs now cannot live with (contract, as in expand / contract). A text search, not
 * a parser: it errs on the side of marking.
 */
const CONTRACT: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bDROP\s+TABLE\b/i, 'drops a table'],
  [/\bDROP\s+VIEW\b/i, 'drops a view'],
  [/\bDROP\s+COLUMN\b/i, 'drops a column'],
  [
    /\bALTER\s+TABLE\b[^;]*\bDROP\s+(?!COLUMN\b|CONSTRAINT\b|DEFAULT\b|NOT\b|IDENTITY\b|EXPRESSION\b)["\w]/i,
    'drops a column',
  ],
  [/\bRENAME\b/i, 'renames'],
  [/\bSET\s+NOT\s+NULL\b/i, 'makes a column NOT NULL'],
  [
    /\bADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?!CONSTRAINT\b)["\w]+\s[^,;]*\bNOT\s+NULL\b(?![^,;]*\b(?:DEFAULT|GENERATED)\b)(?<!\bDEFAULT\b[^,;]*)/i,
    'adds a NOT NULL column without default',
  ],
  [/\bALTER\s+(?:COLUMN\s+)?["\w]+\s+(?:SET\s+DATA\s+)?TYPE\b/i, 'changes the type of a column'],
  // a trigger that follows a TRUNCATE does not do one
  [/(?<!\b(?:AFTER|BEFORE|OR)\s+)\bTRUNCATE\b/i, 'empties a table'],
];

const withoutComments = (sql: string) => sql.replace(/--[^\n]*/g, '').replace(/\/\*[\s\S]*?\*\//g, '');

/** Their commas are not those between the actions of a statement; new tables lose their bodies, which break nobody. */
function withoutParentheses(sql: string): string {
  const shorter = sql.replace(/\([^()]*\)/g, '');
  return shorter === sql ? sql : withoutParentheses(shorter);
}

/** One entry for each finding: `<migration>: drops a column`. */
export function findContract(migrations: readonly Migration[]): readonly string[] {
  return migrations.flatMap(({ id, sql }) => {
    const text = withoutParentheses(withoutComments(sql));
    const found = CONTRACT.filter(([pattern]) => pattern.test(text)).map(([, what]) => `${id}: ${what}`);
    return [...new Set(found)];
  });
}
