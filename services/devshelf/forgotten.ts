import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { HttpError } from '../common/http-errors.ts';
import type { Routes } from '../common/routes.ts';
import { type AuthOptions, assertGoodPassword, unlessBusy } from './auth.ts';
import { accepted, forgottenPassword, passwordReset } from './auth-schemas.ts';
import type { Mailer } from './mail.ts';
import { hashPassword } from './passwords.ts';
import { RESET_LIFETIME_SECONDS, type ResetTokens } from './tokens.ts';

const PATH = '/api/v1/auth/password';
const TOO_MANY = 'Too many requests; Retry-After says when';
const INVALID = 'Invalid or expired token';
const tags = ['auth'];

export type ForgottenOptions = {
  readonly mailer: Mailer;
  readonly tokens: ResetTokens;
  /** a page that takes the token behind its `#`; without it the mail holds the token alone */
  readonly page: string | undefined;
  /** may this user be written to once more? */
  readonly mayWrite: (userId: string) => Promise<boolean>;
};

/**
 * A forgotten password, by mail. The token holds what the password's hash was: it is good until the password changes,
 * so for one use, and no table has to remember it.
 */
export function serveForgotten(
  app: FastifyInstance,
  routes: Routes,
  auth: AuthOptions,
  options: ForgottenOptions,
): void {
  const underWay = new Set<Promise<void>>();
  app.addHook('preClose', async () => {
    await Promise.all(underWay);
    options.mailer.close();
  });

  routes.add({
    method: 'POST',
    path: `${PATH}/forgotten`,
    tags,
    summary: 'Have a token for a new password sent to an address',
    description: 'Answered alike, and as fast, whether anybody has this address.',
    body: forgottenPassword,
    answer: { status: 202, schema: accepted },
    refusals: { 429: TOO_MANY },
    options: { onRequest: auth.limit('forgotten') },
    handle: ({ body: { email }, request }) => {
      const work = write(auth, options, email)
        .catch(error => request.log.error({ err: error }, 'a forgotten password was not answered'))
        .finally(() => underWay.delete(work));
      underWay.add(work);
      return {};
    },
  });

  routes.add({
    method: 'POST',
    path: `${PATH}/reset`,
    tags,
    summary: 'Choose a new password with a token from a mail; every session ends',
    body: passwordReset(auth.passwordMinLength),
    answer: { status: 204, description: 'Changed' },
    refusals: { 403: INVALID, 429: TOO_MANY },
    options: { onRequest: auth.limit('password') },
    handle: async ({ body: { token, new_password: password }, reply }) => {
      await unlessBusy(auth, 'password', reply, () => reset(auth, options.tokens, token, password));
    },
  });
}

const stateOf = (hashedPassword: string) => createHash('sha256').update(hashedPassword).digest('base64url');

async function write({ prisma }: AuthOptions, options: ForgottenOptions, email: string): Promise<void> {
  const user = await prisma.user.findUnique({
    where: { email },
    select: { id: true, username: true, hashedPassword: true, isActive: true },
  });
  if (!user?.isActive || !(await options.mayWrite(user.id))) return;
  const token = await options.tokens.issue(user.id, stateOf(user.hashedPassword));
  await options.mailer.post({ to: email, ...letter(user.username, token, options.page) });
}

/** @throws HttpError 403, 422 */
async function reset({ prisma, ...auth }: AuthOptions, tokens: ResetTokens, token: string, password: string) {
  const claims = await tokens.verify(token);
  const user =
    claims &&
    (await prisma.user.findUnique({
      where: { id: claims.userId },
      select: { id: true, username: true, email: true, hashedPassword: true, isActive: true },
    }));
  if (!user?.isActive || stateOf(user.hashedPassword) !== claims?.state) throw new HttpError(403, INVALID);
  await assertGoodPassword({ prisma, ...auth }, 'new_password', password, user);
  const hashed = await hashPassword(password);
  // of two at once one wins; and whoever is logged in is out with the old password
  const changed = await prisma.$queryRaw<{ id: string }[]>`
    WITH changed AS (
      UPDATE users SET hashed_password = ${hashed}
      WHERE id = ${user.id}::uuid AND hashed_password = ${user.hashedPassword} AND is_active RETURNING id
    ), ended AS (
      UPDATE sessions SET revoked_at = now(), revoked_by = 'password'
      FROM changed WHERE sessions.user_id = changed.id AND revoked_at IS NULL
    )
    SELECT id FROM changed`;
  if (changed.length === 0) throw new HttpError(403, INVALID);
}

const MINUTES = RESET_LIFETIME_SECONDS / 60;

/** Behind the `#`, where no server's log sees it. */
const linkTo = (page: string, token: string) => `${page}#token=${token}`;

/** Anybody may register somebody's address, under a name that is a letter of its own. */
const isPlainName = (name: string): boolean => /^[\p{L}\p{M}\p{N}_-]+$/u.test(name);

function letter(username: string, token: string, page: string | undefined) {
  const way = page === undefined ? token : linkTo(page, token);
  return {
    subject: 'DevShelf: contraseña nueva / new password',
    text: `Hola${isPlainName(username) ? ` ${username}` : ''}:

Alguien pidió una contraseña nueva para tu cuenta. Si fuiste vos, elegila con esto, durante ${MINUTES} minutos:

${way}

Si no fuiste vos, no hagas nada: tu contraseña sigue siendo la misma.

--

Somebody asked for a new password for your account. If it was you, choose it with the ${page === undefined ? 'token' : 'link'} above, within ${MINUTES} minutes. If it was not, do nothing: your password stays as it is.
`,
  };
}
