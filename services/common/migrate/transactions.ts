import type { Migration } from './files.ts';
import { type Statement, statementsOf } from './statements.ts';

// SAVEPOINT, RELEASE and ROLLBACK TO stay within a transaction
const BEGINS = /^(?:BEGIN|START TRANSACTION)\b/;
const ENDS = /^(?:COMMIT|END|ABORT|PREPARE TRANSACTION|ROLLBACK(?! (?:(?:WORK|TRANSACTION) )?TO\b))\b/;

const lineOf = (file: string, { sql, at }: Statement): number =>
  file.slice(0, at + sql.length - sql.trimStart().length).split('\n').length;

/**
 * What is wrong with a file's own transactions, if anything: within the runner's they would leave it half done, or
 * recorded without having done it; where there is none, one that stays open is rolled back at the end.
 */
export function transactionFault({ id, sql, inTransaction }: Pick<Migration, 'id' | 'sql' | 'inTransaction'>) {
  return inTransaction ? faultWithin(`${id}/migration.sql`, sql) : faultAlone(`${id}/migration.sql`, sql);
}

/** For SQL that runs in the runner's transaction. */
export function faultWithin(name: string, sql: string): string | undefined {
  const own = statementsOf(sql).find(({ words }) => BEGINS.test(words.join(' ')) || ENDS.test(words.join(' ')));
  if (own === undefined) return undefined;
  return `${name}, line ${lineOf(sql, own)}: ${own.words[0]} has no place here: the file runs in one transaction with the row that records it; take it out`;
}

function faultAlone(name: string, sql: string): string | undefined {
  const marks = statementsOf(sql).filter(({ words }) => BEGINS.test(words.join(' ')) || ENDS.test(words.join(' ')));
  const last = marks.at(-1);
  if (last === undefined || ENDS.test(last.words.join(' '))) return undefined;
  return `${name}, line ${lineOf(sql, last)}: ${last.words[0]} begins a transaction that nothing ends: add COMMIT`;
}
