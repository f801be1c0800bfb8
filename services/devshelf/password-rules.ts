import { usernameKey } from './identities.ts';

export type PasswordContext = {
  readonly username: string;
  readonly email: string;
  /** characters that a password must have beside what anybody would guess about its owner */
  readonly minLength: number;
};

/** Words that everybody knows who knows the service. */
const SERVICE_WORDS = ['devshelf', 'mini market'];

/** A name of three letters is in too many good passwords. */
const WORD_MIN = 4;

/** Some 49,000 passwords that were seen most often in leaks; read at the first use, so that no start waits for it. */
let common: Promise<ReadonlySet<string>> | undefined;

function commonPasswords(): Promise<ReadonlySet<string>> {
  common ??= import('./common-passwords.ts').then(({ COMMON_PASSWORDS }) => COMMON_PASSWORDS);
  return common;
}

/**
 * Why nobody should have this password, in words for its owner; undefined for a good one. NIST SP 800-63B, 3.1.1.2: no
 * rules of composition, but neither what is tried first nor what is known of the account.
 */
export async function passwordFault(password: string, context: PasswordContext): Promise<string | undefined> {
  const folded = usernameKey(password);
  if ((await commonPasswords()).has(folded) || new Set(folded).size === 1)
    return 'is one of the passwords that are tried first: choose another one';
  const rest = wordsOf(context).reduce((left, word) => left.replaceAll(word, ''), folded);
  if (rest !== folded && [...rest].length < context.minLength)
    return 'is little more than your name, your address or the name of this service: choose another one';
  return undefined;
}

const wordsOf = ({ username, email }: PasswordContext): readonly string[] =>
  [username, email, ...email.split(/[@.]/), ...SERVICE_WORDS]
    .map(usernameKey)
    .filter(word => word.length >= WORD_MIN)
    .sort((left, right) => right.length - left.length);
