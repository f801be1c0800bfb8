import { argon2, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** libuv's threads do the hashing, and everything else that must not wait for it: one of them is left alone. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) || 4;

/** More at once than there are cores gain nothing and cost 19 MiB each. */
const MAX_AT_ONCE = Math.max(1, Math.min(availableParallelism(), THREADS - 1));

/** At some 20 ms each, the last in the queue waits about a second. Who would come after that is sent away. */
const MAX_WAITING = MAX_AT_ONCE * 40;

/** So many passwords wait to be hashed that one more would only wait in vain. */
export class PasswordsBusyError extends Error {
  readonly code = 'PASSWORDS_BUSY';
  /** seconds after which the queue of now is done */
  readonly retryAfterSeconds = 2;
}

const derive = promisify(argon2);
const derivePbkdf2 = promisify(pbkdf2);

type Cost = { readonly memory: number; readonly passes: number; readonly parallelism: number };

export type Turns = {
  /** @throws PasswordsBusyError */
  take<Result>(work: () => Promise<Result>): Promise<Result>;
  readonly running: number;
  readonly waiting: number;
};

/** At most `atOnce` works run; at most `maxWaiting` wait, first come first served. */
export function inTurns(atOnce: number, maxWaiting: number): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    get running() {
      return running;
    },
    get waiting() {
      return waiting.length;
    },
    take: async work => {
      if (running < atOnce) running += 1;
      else if (waiting.length >= maxWaiting) throw new PasswordsBusyError();
      else await new Promise<void>(resolve => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        // the turn is handed over, so the count stays as it is
        if (next) next();
        else running -= 1;
      }
    },
  };
}

/** One for the process: its threads and its memory are what is shared out. */
export const passwordTurns = inTurns(MAX_AT_ONCE, MAX_WAITING);

type Argon2Parameters = { readonly salt: Buffer; readonly tagLength: number; readonly cost: Cost };

const derived = (password: string, { salt, tagLength, cost }: Argon2Parameters): Promise<Buffer> =>
  derive('argon2id', { message: password, nonce: salt, tagLength, ...cost });

const COST: Cost = { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES };

const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');

const phc = (salt: Buffer, hash: Buffer) =>
  `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(salt)}$${base64(hash)}`;

/**
 * A PHC string: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
 * @throws PasswordsBusyError
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await passwordTurns.take(() => derived(password, { salt, tagLength: HASH_BYTES, cost: COST }));
  return phc(salt, hash);
}

/** What an unknown user's password is compared with, so that both refusals take the same time. */
export const nobodysHash = phc(Buffer.alloc(SALT_BYTES), Buffer.alloc(HASH_BYTES));

/**
 * False for a wrong password and for a hash of a kind that is not known.
 * @throws PasswordsBusyError
 */
export function verifyPassword(password: string, encoded: string): Promise<boolean> {
  return passwordTurns.take(async () => {
    if (!encoded.startsWith('$pbkdf2-sha256$')) return verifyArgon2(password, encoded);
    // such an account must not stand out by its time either
    const [fits] = await Promise.all([verifyPbkdf2(password, encoded), verifyArgon2(password, nobodysHash)]);
    return fits;
  });
}

/** True for hashes that the Python service left behind: after the next login they are ours. */
export const isOutdated = (encoded: string): boolean => !encoded.startsWith('$argon2id$');

const ARGON2 = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

async function verifyArgon2(password: string, encoded: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt, hash] = ARGON2.exec(encoded) ?? [];
  if (salt === undefined || hash === undefined) return false;
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const wanted = Buffer.from(hash, 'base64');
  const parameters = { salt: Buffer.from(salt, 'base64'), tagLength: wanted.length, cost };
  return timingSafeEqual(await derived(password, parameters), wanted);
}

/** passlib's: `$pbkdf2-sha256$rounds$salt$hash`, in a base64 with `.` for `+`. */
const PBKDF2 = /^\$pbkdf2-sha256\$(\d{1,7})\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)$/;

const fromPasslib = (text: string) => Buffer.from(text.replaceAll('.', '+'), 'base64');

async function verifyPbkdf2(password: string, encoded: string): Promise<boolean> {
  const [, rounds, salt, hash] = PBKDF2.exec(encoded) ?? [];
  if (salt === undefined || hash === undefined) return false;
  const wanted = fromPasslib(hash);
  const found = await derivePbkdf2(password, fromPasslib(salt), Number(rounds), wanted.length, 'sha256');
  return timingSafeEqual(found, wanted);
}
