// Words of others on their way into a status, an event, a log line or a record. Containers' own words never get here
// (`controller/views.ts` leaves them out: whoever chooses the image chooses them); what passes comes from the kubelet,
// the scheduler, the API server and its webhooks, and these repeat what they were given.
import { sha256 } from './sha256.ts';

/** Longer sentences are cut: the refusals of an API server fit, a file does not. */
const LONGEST = 600;
const HIDDEN = '…';

/** In this order: a URL's user and password go before anything in them is taken for something else. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // postgresql://user:password@host, to the last @: in passwords all occurs
  [/\b([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s"'`<>]*@/gi, `$1${HIDDEN}@`],
  [
    /((?:password|passwd|pwd|secret|token|api[_-]?key)["']?\s{0,3}[=:]\s{0,3})("[^"]*"|'[^']*'|[^\s&;,"']+)/gi,
    `$1${HIDDEN}`,
  ],
  [/\b((?:bearer|basic)\s{1,3})[^\s"',;]+/gi, `$1${HIDDEN}`],
  [/dsk_[A-Za-z0-9_-]*/g, HIDDEN],
  // a JWT begins with {" in base64url
  [/eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*/g, HIDDEN],
];

/** What is long enough to be a key in base64, base64url or hex. */
const RUN = /[A-Za-z0-9+/_-]{24,}={0,2}/g;
/** What names consist of, between dashes: `shop`, `6c8d5f7b9`, `DATABASE`, `CreateContainerConfigError`. */
const WORD = /^(?:[a-z0-9]{0,20}|[A-Z0-9]{1,20}|[a-z]+|[A-Z]+|[A-Z]{0,4}[a-z]{2,}(?:[A-Z]{1,4}[a-z]{2,})*[A-Z]{0,4})$/;

/**
 * The text without what looks like a secret: user and password of URLs, values of passwords and tokens, `dsk_…`, JWTs,
 * `Bearer …`, long base64 and hex. Digests of images stay. Asking twice changes nothing.
 */
export function hideSecrets(text: string): string {
  const rest = SECRETS.reduce((known, [secret, instead]) => known.replace(secret, instead), text);
  return rest.replace(RUN, (run: string, at: number) =>
    rest.slice(Math.max(0, at - 7), at) === 'sha256:' || run.split(/[/_-]/).every(part => WORD.test(part))
      ? run
      : HIDDEN,
  );
}

/** Somebody else's words: in one line, without secrets, at most 600 characters. */
export function scrub(text: string): string {
  const line = hideSecrets(beginning(text).replace(/\s+/g, ' ').trim());
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

/** Of a long text only whole words: half of a URL does not look like one. */
const beginning = (text: string): string =>
  text.length > 4 * LONGEST ? text.slice(0, 4 * LONGEST).replace(/\S*$/, '') : text;

/** A number or a date, and what Prisma and `migrate` take for a folder's name. */
const MIGRATION = /^\d{1,14}[_-][A-Za-z0-9_.-]{1,240}$/;
const UNSHOWN = 'a name that is not shown';

/**
 * A migration's name as people read it. What has not the shape of one, or looks like a secret, is told by the beginning
 * of its SHA-256: whoever knows the name finds it by that, and may agree to it by the name.
 */
export const shownMigration = (name: string): string =>
  MIGRATION.test(name) && hideSecrets(name) === name ? name : `(${UNSHOWN}: ${sha256(name).slice(0, 10)})`;

export const isShownMigration = (shown: string): boolean => !shown.startsWith(`(${UNSHOWN}`);

/** What stands in a list of names, and is none. */
export const NO_NAME = `(${UNSHOWN})`;
