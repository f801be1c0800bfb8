import { existsSync, writeFileSync } from 'node:fs';

/**
 * What a run found out, for the operator: the last line of stdout and the pod's termination message.
 *
 * | result            | exit | meaning                                                                               |
 * |-------------------|------|---------------------------------------------------------------------------------------|
 * | `up to date`      | 0    | nothing is pending, edited, renamed, failed or interrupted                            |
 * | `expanded`        | 0    | only what takes something away, and is not agreed to, is pending                      |
 * | `reverted`        | 0    | `down` undid what it was asked to undo                                                |
 * | `recorded`        | 0    | `baseline` or `resolve` wrote down what the database was found to be                  |
 * | `seeded`          | 0    | `seed` wrote its rows, or found them                                                  |
 * | `clean`           | 0    | `lint` found nothing to say                                                           |
 * | `pending`         | 1    | `status` only: migrations wait                                                        |
 * | `contract`        | 1    | `lint` only: a pending migration takes away what the running release may use          |
 * | `faulty`          | 1    | `lint --scratch`: a mark is wrong, or a way back does not lead back                   |
 * | `failed`          | 1    | a statement failed; what it stood in was rolled back, or the history says it was not  |
 * | `interrupted`     | 1    | a migration without transaction was cut off; a person must look                       |
 * | `edited`          | 1    | an applied migration's file is not the one that was applied                           |
 * | `renamed`         | 1    | an applied migration's folder has another name, and would run a second time           |
 * | `baseline needed` | 1    | tables are there which no history knows                                               |
 * | `invalid index`   | 1    | an index that a migration made is invalid: no reading uses it                         |
 * | `different`       | 1    | `baseline` or `resolve`: the database is not what the migrations make; nothing was recorded |
 * | `refused`         | 1    | nothing was done, `message` says why: the server does not let us in, rows would be lost |
 * | `misused`         | 2    | the command line, the environment or a file of the image is wrong                     |
 * | `unreachable`     | 3    | the database did not answer, or went away: wait and try again                         |
 * | `readonly`        | 3    | a standby, or a server that takes no writes now: wait and try again                   |
 * | `locked`          | 4    | somebody held a lock too long: try again                                              |
 * | `stopped`         | 143  | SIGTERM ended it; nothing is half applied: try again                                  |
 */
export type Result = keyof typeof EXIT_CODES;

export const EXIT_CODES = {
  'up to date': 0,
  expanded: 0,
  reverted: 0,
  recorded: 0,
  seeded: 0,
  clean: 0,
  pending: 1,
  contract: 1,
  faulty: 1,
  failed: 1,
  interrupted: 1,
  edited: 1,
  renamed: 1,
  'baseline needed': 1,
  'invalid index': 1,
  different: 1,
  refused: 1,
  misused: 2,
  unreachable: 3,
  readonly: 3,
  locked: 4,
  stopped: 143,
} as const;

export type Withheld = { readonly id: string; readonly what: string };

export type Verdict = {
  readonly result: Result;
  /** done by this run */
  readonly applied: readonly string[];
  readonly reverted: readonly string[];
  /** still to be done after it */
  readonly pending: readonly string[];
  readonly edited: readonly string[];
  /** pending, with the content of one that was applied under another name */
  readonly renamed: readonly string[];
  /** older than one that was applied; for `up`, those that it applied so */
  readonly late: readonly string[];
  readonly failed: readonly string[];
  readonly interrupted: readonly string[];
  /** in the database but not in this image: a newer release was here, which is fine */
  readonly ahead: readonly string[];
  /** pending, not agreed to: what each takes away that the running release may use */
  readonly withheld: readonly Withheld[];
  /** of `applied`, those that take something away */
  readonly contracted: readonly string[];
  /** of `applied`, those without a way back */
  readonly irreversible: readonly string[];
  /** `down --if-lossless`: what would be gone with it: `table pedidos_nota: 1204 rows` */
  readonly lost: readonly string[];
  /** `lint --scratch`: what is wrong with which migration */
  readonly faults: readonly string[];
  /** invalid indexes of the database, whoever made them */
  readonly invalid: readonly string[];
  /** `baseline`, `resolve`: what the migrations make and the database has otherwise */
  readonly differences: readonly string[];
  /** how many of a list were left out, by its name, where there was no room for all */
  readonly more?: Readonly<Record<string, number>>;
  readonly message?: string | undefined;
  readonly ms: number;
};

export const nothing = {
  applied: [],
  reverted: [],
  pending: [],
  edited: [],
  renamed: [],
  late: [],
  failed: [],
  interrupted: [],
  ahead: [],
  withheld: [],
  contracted: [],
  irreversible: [],
  lost: [],
  faults: [],
  invalid: [],
  differences: [],
} satisfies Omit<Verdict, 'result' | 'ms'>;

// the kubelet cuts termination messages at 4096 bytes, which would cut the JSON
const MESSAGE_MAX = 1_000;
const WHAT_MAX = 200;
const LIST_MAX = 10;
const PRECIOUS_MAX = 100;
const TERMINATION_MAX_BYTES = 4_096;

/** What later decisions hang on is cut last: with a name too few, a way back cannot be gone. */
const PRECIOUS: readonly string[] = ['applied', 'contracted', 'irreversible', 'ahead'];
/** Of these the newest matter: a way back begins with what was applied last, a contract is applied after the bake. */
const NEWEST: readonly string[] = ['applied', 'contracted', 'ahead'];

/** How many entries of a list are said. */
interface Cut {
  readonly precious: number;
  readonly withheld: number;
  readonly others: number;
}

/** Lists are cut and counted in `more`: whatever stands in one is an entry. */
function shortened(verdict: Verdict, cut: Cut): string {
  const more: Record<string, number> = {};
  const line = Object.entries(verdict).map(([name, value]) => {
    const max = name === 'withheld' ? cut.withheld : PRECIOUS.includes(name) ? cut.precious : cut.others;
    if (!Array.isArray(value) || value.length <= max) return [name, value];
    more[name] = value.length - max;
    return [name, NEWEST.includes(name) ? value.slice(value.length - max) : value.slice(0, max)];
  });
  const entries = Object.keys(more).length > 0 ? [...line, ['more', more]] : line;
  return JSON.stringify(Object.fromEntries(entries), (key, value) => {
    const max = key === 'what' ? WHAT_MAX : MESSAGE_MAX;
    return typeof value === 'string' && value.length > max ? `${value.slice(0, max)}…` : value;
  });
}

const down = (from: number, to: number): number[] => Array.from({ length: from - to + 1 }, (_, index) => from - index);

/** The first that fits is taken: others first, then what waits, which the next Job says again, then all. */
const CUTS: readonly Cut[] = [
  ...down(LIST_MAX, 0).map(others => ({ others, withheld: PRECIOUS_MAX, precious: PRECIOUS_MAX })),
  ...down(PRECIOUS_MAX, LIST_MAX).map(withheld => ({ others: 0, withheld, precious: PRECIOUS_MAX })),
  ...down(PRECIOUS_MAX, 0).map(max => ({ others: 0, withheld: Math.min(LIST_MAX, max), precious: max })),
];

/** At most 4 KiB of JSON in one line. */
export function encodeVerdict(verdict: Verdict): string {
  for (const cut of CUTS) {
    const line = shortened(verdict, cut);
    if (Buffer.byteLength(line) <= TERMINATION_MAX_BYTES) return line;
  }
  return JSON.stringify({ ...nothing, result: verdict.result, ms: verdict.ms });
}

/** Says the verdict where people and the operator look for it. */
export function sayVerdict(verdict: Verdict, terminationLog: string): void {
  const line = encodeVerdict(verdict);
  // outside a pod there is no such file, and none is made
  if (existsSync(terminationLog)) writeFileSync(terminationLog, line);
  process.stdout.write(`${line}\n`);
}
