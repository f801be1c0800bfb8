import { type Machine, machineLine, type Table, tableOf } from './report.ts';

/** What is asked of both, and the processor time of each, milliseconds. */
export type Question = {
  readonly name: string;
  /** kubectl's arguments. */
  readonly theirs: string;
  /** The first time of all: what V8 makes of the program is not kept yet, and is written down. */
  readonly firstMs: number;
  readonly oursMs: number;
  readonly theirsMs: number;
};

export type CliResult = { readonly machine: Machine; readonly runs: number; readonly questions: readonly Question[] };

const TIMES = 1.5;
const ratio = ({ oursMs, theirsMs }: Question): number => oursMs / theirsMs;

export const cliMisses = ({ questions }: CliResult): readonly string[] =>
  questions
    .filter(question => ratio(question) > TIMES)
    .map(question => `${question.name}: ${ratio(question).toFixed(1)} times kubectl's processor time, ${TIMES} wanted`);

export function cliTables({ machine, runs, questions }: CliResult): readonly Table[] {
  const rows = questions.map(question => [
    `\`kubectl devshelf ${question.name}\``,
    String(Math.round(question.firstMs)),
    String(Math.round(question.oursMs)),
    `\`kubectl ${question.theirs}\``,
    String(Math.round(question.theirsMs)),
    `${ratio(question).toFixed(1)} (${TIMES})`,
  ]);
  const head = ['Processor time', 'first run, ms', 'later, ms', 'beside', 'ms', 'times (goal)'];
  return [{ name: 'cli', table: `${machineLine(machine)} Medians of ${runs}.\n\n${tableOf(head, rows)}` }];
}
