import { existsSync, writeFileSync } from 'node:fs';

/**
 * What a run found out, for the operator: the last line of stdout and the pod's termination message.
 *
 * | result        | exit | meaning                                                                               |
 * |---------------|------|---------------------------------------------------------------------------------------|
 * | `up to date`  | 0    | nothing is pending, edited, failed or interrupted                                     |
 * | `reverted`    | 0    | `down` undid what it was asked to undo                                                |
 * | `seeded`      | 0    | `seed` wrote its rows, or found them                                                  |
 * | `clean`       | 0    | `lint` found nothing that the running release cannot live with                       |
 * | `pending`     | 1    | `status` only: migrations wait                                                        |
 * | `contract`    | 1    | `lint` only: a pending migration takes away what the running release may use          |
 * | `failed`      | 1    | a statement failed; what it stood in was rolled back, or the history says it was not  |
 * | `interrupted` | 1    | a migration without transaction was cut off; a person must look                       |
 * | `edited`      | 1    | an applied migration's file is not the one that was applied                           |
 * | `refused`     | 1    | nothing was tried, `message` says why                                                 |
 * | `misused`     | 2    | the command line or the environment is wrong                                          |
 * | `unreachable` | 3    | the database did not let us in, or went away: wait and try again                      |
 * | `locked`      | 4    | somebody held a lock too long: try again                                              |
 */
export type Result = keyof typeof EXIT_CODES;

export const EXIT_CODES = {
  'up to date': 0,
  reverted: 0,
  seeded: 0,
  clean: 0,
  pending: 1,
  contract: 1,
  failed: 1,
  interrupted: 1,
  edited: 1,
  refused: 1,
  misused: 2,
  unreachable: 3,
  locked: 4,
} as const;

export type Verdict = {
  readonly result: Result;
  /** done by this run */
  readonly applied: readonly string[];
  readonly reverted: readonly string[];
  /** still to be done after it */
  readonly pending: readonly string[];
  readonly edited: readonly string[];
  readonly failed: readonly string[];
  readonly interrupted: readonly string[];
  /** in the database but not in this image: a newer release was here, which is fine */
  readonly ahead: readonly string[];
  /** pending ones that the running release cannot live with, and why */
  readonly contract: readonly string[];
  readonly message?: string | undefined;
  readonly ms: number;
};

export const nothing = {
  applied: [],
  reverted: [],
  pending: [],
  edited: [],
  failed: [],
  interrupted: [],
  ahead: [],
  contract: [],
} satisfies Omit<Verdict, 'result' | 'ms'>;

// the kubelet cuts termination messages at 4096 bytes, which would cut the JSON
const MESSAGE_MAX = 1_000;
const LIST_MAX = 10;
const TERMINATION_MAX_BYTES = 4_096;

const shortened = (verdict: Verdict, listMax: number): string =>
  JSON.stringify(verdict, (_key, value) => {
    if (Array.isArray(value) && value.length > listMax)
      return [...value.slice(0, listMax), `and ${value.length - listMax} more`];
    return typeof value === 'string' && value.length > MESSAGE_MAX ? `${value.slice(0, MESSAGE_MAX)}…` : value;
  });

/** At most 4 KiB of JSON in one line. */
export function encodeVerdict(verdict: Verdict): string {
  for (let listMax = LIST_MAX; listMax > 0; listMax -= 1) {
    const line = shortened(verdict, listMax);
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
