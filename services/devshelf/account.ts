import * as z from 'zod';
import { HttpError } from '../common/http-errors.ts';
import type { Routes } from '../common/routes.ts';
import { type AuthOptions, assertGoodPassword, authenticate, type Caller, unlessBusy } from './auth.ts';
import { passwordChange, session } from './auth-schemas.ts';
import { hashPassword, verifyPassword } from './passwords.ts';

const PATH = '/api/v1/auth';
const NO_SESSION = 'Session not found';
const tags = ['auth'];

/** What a user does with the own account: another password, and a look at where it is logged in. */
export function serveAccount(routes: Routes, auth: AuthOptions): void {
  const guard = (request: Parameters<typeof authenticate>[0]) => authenticate(request, auth);

  routes.add({
    method: 'POST',
    path: `${PATH}/password`,
    tags,
    summary: 'Change the password; every other session ends',
    guard,
    body: passwordChange(auth.passwordMinLength),
    answer: { status: 204, description: 'Changed' },
    refusals: { 403: 'The current password is another one', 429: 'Too many requests; Retry-After says when' },
    options: { onRequest: auth.limit('password') },
    handle: async ({ body, caller, reply }) => {
      await unlessBusy(auth, 'password', reply, () => changePassword(auth, caller, body));
    },
  });

  routes.add({
    method: 'GET',
    path: `${PATH}/sessions`,
    tags,
    summary: 'Where the user is logged in, the newest first',
    guard,
    answer: { status: 200, schema: z.array(session) },
    handle: async ({ caller }) => {
      const sessions = await auth.sessions.listOf(caller.id);
      return sessions.map(({ id, createdAt, expiresAt }) => ({
        id,
        created_at: createdAt.toISOString(),
        expires_at: expiresAt.toISOString(),
        current: id === caller.sessionId,
      }));
    },
  });

  routes.add({
    method: 'DELETE',
    path: `${PATH}/sessions/:id`,
    tags,
    summary: 'End one of the user’s sessions',
    guard,
    params: z.object({ id: z.string() }),
    answer: { status: 204, description: 'Ended' },
    refusals: { 404: NO_SESSION },
    handle: async ({ params: { id }, caller }) => {
      const ended = z.guid().safeParse(id).success && (await auth.sessions.endOneOf(caller.id, id, 'revoke'));
      if (!ended) throw new HttpError(404, NO_SESSION);
    },
  });
}

type Change = { readonly current_password: string; readonly new_password: string };

/** @throws HttpError 403, 422 */
async function changePassword(auth: AuthOptions, caller: Caller, change: Change): Promise<void> {
  const { hashedPassword, username, email } = await auth.prisma.user.findUniqueOrThrow({
    where: { id: caller.id },
    select: { hashedPassword: true, username: true, email: true },
  });
  if (!(await verifyPassword(change.current_password, hashedPassword))) throw new HttpError(403, 'Incorrect password');
  await assertGoodPassword(auth, 'new_password', change.new_password, { username, email });
  const hashed = await hashPassword(change.new_password);
  // whoever logged in with the old one is out before the new one is good
  await auth.sessions.endOthersOf(caller.id, caller.sessionId, 'password');
  await auth.prisma.user.update({ where: { id: caller.id }, data: { hashedPassword: hashed }, select: { id: true } });
}
