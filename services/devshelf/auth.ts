import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import type { Registry } from 'prom-client';
import { HttpError } from '../common/http-errors.ts';
import type { KeyringSource } from '../common/keyring.ts';
import type { Logger } from '../common/logging.ts';
import { nameUser } from '../common/requests.ts';
import type { Routes } from '../common/routes.ts';
import { bearerToken } from '../common/scrape.ts';
import { type AuthMetrics, countAuth, type Limited } from './auth-metrics.ts';
import { credentials, refreshRequest, registration, revocation, revoked, tokenPair, user } from './auth-schemas.ts';
import type { ApiConfig } from './config.ts';
import type { Database } from './database.ts';
import { type Denylist, noDenylist, redisDenylist } from './denylist.ts';
import { Prisma, type PrismaClient, type User } from './generated/client.ts';
import { usernameKey } from './identities.ts';
import { type AccountGuard, guardAccounts, type Limiter, limitClients, TOO_MANY_REQUESTS } from './limits.ts';
import { passwordFault } from './password-rules.ts';
import { hashPassword, isOutdated, nobodysHash, PasswordsBusyError, verifyPassword } from './passwords.ts';
import { type Begun, openSessions, type Revoker, type Sessions } from './sessions.ts';
import { type AccessClaims, type AccessTokens, accessTokens } from './tokens.ts';

/** What it takes to know who sent a request. */
export type Access = { readonly tokens: AccessTokens; readonly sessions: Sessions; readonly denylist: Denylist };

export type AuthOptions = Access & {
  readonly prisma: PrismaClient;
  readonly metrics: AuthMetrics;
  readonly limit: Limiter;
  readonly accounts: AccountGuard;
  readonly passwordMinLength: number;
  /** also what anybody would try first */
  readonly refuseGuessable: boolean;
};

type Parts = {
  readonly config: ApiConfig;
  readonly database: Database;
  readonly redis: Redis | undefined;
  readonly signingKeys: KeyringSource;
  readonly registry: Registry;
  readonly logger: Logger;
};

export function openAuth({ config, database, redis, signingKeys, registry, logger }: Parts): AuthOptions {
  const metrics = countAuth(registry);
  return {
    prisma: database.prisma,
    tokens: accessTokens(signingKeys, config.ACCESS_TOKEN_EXPIRE_MINUTES * 60),
    sessions: openSessions(database.prisma, {
      idleDays: config.REFRESH_TOKEN_EXPIRE_DAYS,
      maxDays: config.SESSION_MAX_DAYS,
    }),
    denylist: redis ? redisDenylist(redis, logger) : noDenylist,
    metrics,
    limit: limitClients({ config, redis, logger, metrics }),
    accounts: guardAccounts({ config, redis, logger, metrics }),
    passwordMinLength: config.PASSWORD_MIN_LENGTH,
    refuseGuessable: config.PASSWORD_REFUSE_COMMON,
  };
}

const PATH = '/api/v1/auth';
const TOO_MANY = 'Too many requests from this address, or from all together; Retry-After says when to try again';
const tags = ['auth'];

/** Accounts and tokens. The limits come first, before a body is read. */
export function serveAuth(routes: Routes, auth: AuthOptions): void {
  routes.add({
    method: 'POST',
    path: `${PATH}/register`,
    tags,
    summary: 'Create an account',
    body: registration(auth.passwordMinLength),
    answer: { status: 201, schema: user },
    refusals: { 400: 'The username or the e-mail address is taken', 429: TOO_MANY },
    options: { onRequest: auth.limit('register') },
    handle: async ({ body: { username, email, password }, reply }) => {
      await assertGoodPassword(auth, 'password', password, { username, email });
      const hashedPassword = await unlessBusy(auth, 'register', reply, () => hashPassword(password));
      const { id, isActive } = await createUser(auth.prisma, { username, email, hashedPassword });
      return { id, username, email, is_active: isActive };
    },
  });

  routes.add({
    method: 'POST',
    path: `${PATH}/token`,
    tags,
    summary: 'Log in: an access token and a refresh token',
    body: credentials,
    form: true,
    answer: { status: 200, schema: tokenPair },
    refusals: { 401: 'Unknown user or wrong password: nobody can tell which', 429: TOO_MANY },
    options: { onRequest: auth.limit('token') },
    handle: async ({ body: { username, password }, request, reply }) => {
      const attempt = await auth.accounts.begin(username, request, reply);
      const userId = await unlessBusy(auth, 'token', reply, () => logIn(auth.prisma, username, password));
      auth.metrics.logins.inc({ outcome: userId === undefined ? 'refused' : 'granted' });
      await (userId === undefined ? attempt.failed() : attempt.granted());
      if (userId === undefined) throw new HttpError(401, 'Incorrect credentials');
      nameUser(request, userId);
      return grant(auth, await auth.sessions.begin(userId));
    },
  });

  routes.add({
    method: 'POST',
    path: `${PATH}/refresh`,
    tags,
    summary: 'Exchange a refresh token for new tokens',
    description: 'Each refresh token is good for one use. One that comes back ends its session.',
    body: refreshRequest,
    form: true,
    answer: { status: 200, schema: tokenPair },
    refusals: { 401: 'Unknown, expired, revoked or used before', 429: TOO_MANY },
    options: { onRequest: auth.limit('refresh') },
    handle: async ({ body, request }) => {
      const rotation = await auth.sessions.rotate(body.refresh_token);
      auth.metrics.refreshes.inc({ outcome: rotation.outcome });
      if (rotation.outcome === 'rotated') return grant(auth, rotation);
      if (rotation.outcome === 'reused') {
        request.log.warn({ session: rotation.sessionId }, 'a spent refresh token came back: its session is revoked');
      }
      throw new HttpError(401, 'Invalid refresh token');
    },
  });

  routes.add({
    method: 'POST',
    path: `${PATH}/logout`,
    tags,
    summary: 'End this session: its access and refresh tokens are refused from now on',
    guard: request => authenticate(request, auth),
    answer: { status: 204, description: 'Logged out' },
    handle: ({ caller }) => endSession(auth, caller, 'logout'),
  });

  routes.add({
    method: 'POST',
    path: `${PATH}/revoke`,
    tags,
    summary: 'End the session of a token (RFC 7009), or every session of the user',
    description:
      'A `token` needs no authorization and is answered alike whether it was known. `all` needs a Bearer token.',
    body: revocation,
    form: true,
    answer: { status: 200, schema: revoked },
    refusals: { 401: '`all` without a valid Bearer token' },
    handle: async ({ body: { token, all }, request }) => {
      if (all !== undefined) await endAllSessions(auth, await authenticate(request, auth));
      if (token !== undefined) await revokeToken(auth, token);
      return {};
    },
  });
}

const PRUNE_EVERY_MS = 3_600_000;
// soon as well, for a process may not live an hour
const FIRST_PRUNE_MS = 60_000;

/** Deletes sessions that ended, once in a while; more than one process at it does no harm. */
export function forgetOldSessions(app: FastifyInstance, { sessions }: Pick<AuthOptions, 'sessions'>): void {
  const prune = () => sessions.prune().catch(error => app.log.warn({ err: error }, 'old sessions were not deleted'));
  const timers = [setTimeout(prune, FIRST_PRUNE_MS).unref(), setInterval(prune, PRUNE_EVERY_MS).unref()];
  app.addHook('onClose', async () => timers.forEach(clearTimeout));
}

async function grant({ tokens }: AuthOptions, { userId, sessionId, refreshToken }: Begun) {
  return {
    access_token: await tokens.issue(userId, sessionId),
    token_type: 'bearer' as const,
    expires_in: tokens.lifetimeSeconds,
    refresh_token: refreshToken,
  };
}

/**
 * Too many logins at once are refused as too many requests, not as a fault of ours: error rates over 5xx decide whether
 * a release is good, and no release is worse because many people log in.
 */
export async function unlessBusy<Result>(
  { metrics }: AuthOptions,
  route: Limited,
  reply: FastifyReply,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PasswordsBusyError)) throw error;
    metrics.rateLimited.inc({ route, reason: 'capacity' });
    reply.header('Retry-After', String(error.retryAfterSeconds));
    throw new HttpError(429, TOO_MANY_REQUESTS);
  }
}

/** @throws HttpError 422 for a password that is guessed first */
export async function assertGoodPassword(
  { refuseGuessable, passwordMinLength: minLength }: AuthOptions,
  field: string,
  password: string,
  owner: { readonly username: string; readonly email: string },
): Promise<void> {
  const fault = refuseGuessable ? await passwordFault(password, { ...owner, minLength }) : undefined;
  if (fault !== undefined) throw new HttpError(422, [{ loc: ['body', field], msg: fault, type: 'guessable' }]);
}

/** The user's id, or undefined for an unknown user, a wrong password and one who is switched off: all take as long. */
async function logIn(prisma: PrismaClient, username: string, password: string): Promise<string | undefined> {
  const user = await findUser(prisma, username);
  const fits = await verifyPassword(password, user?.hashedPassword ?? nobodysHash);
  if (!user?.isActive || !fits) return undefined;
  if (isOutdated(user.hashedPassword)) {
    const hashedPassword = await hashPassword(password);
    await prisma.user.update({ where: { id: user.id }, data: { hashedPassword }, select: { id: true } });
  }
  return user.id;
}

/** By the exact name, else by one that looks the same. */
async function findUser(prisma: PrismaClient, username: string) {
  const select = { id: true, username: true, hashedPassword: true, isActive: true } as const;
  const found = await prisma.user.findMany({
    where: { OR: [{ username }, { usernameKey: usernameKey(username) }] },
    select,
    take: 2,
  });
  return found.find(user => user.username === username) ?? found[0];
}

type NewUser = { readonly username: string; readonly email: string; readonly hashedPassword: string };

/** The database decides what is a duplicate, so two at once cannot both win. */
async function createUser(prisma: PrismaClient, data: NewUser): Promise<User> {
  try {
    return await prisma.user.create({ data: { ...data, usernameKey: usernameKey(data.username) } });
  } catch (error) {
    if (!(error instanceof Prisma.PrismaClientKnownRequestError) || error.code !== 'P2002') throw error;
    const sameName = await findUser(prisma, data.username);
    throw new HttpError(400, sameName ? 'Username already registered' : 'Email already registered');
  }
}

/** Who sent a request, and with which token. */
export type Caller = AccessClaims & { readonly id: string };

/**
 * The user who sent the request. The denylist and the database are asked at once; a no from either one is a no.
 * @throws HttpError 401 when there is no valid token, it was revoked, or its user is gone or not active any more
 */
export async function authenticate(request: FastifyRequest, access: Access): Promise<Caller> {
  const token = bearerToken(request);
  if (token === undefined) throw new HttpError(401, 'Not authenticated');
  const claims = await access.tokens.verify(token);
  const id = claims && (await userOf(access, claims));
  if (claims === undefined || id === undefined) throw new HttpError(401, 'Could not validate credentials');
  nameUser(request, id);
  return { ...claims, id };
}

async function userOf({ denylist, sessions }: Access, claims: AccessClaims): Promise<string | undefined> {
  const [denied, id] = await Promise.all([denylist.has(claims.jti), sessions.userOf(claims)]);
  return denied ? undefined : id;
}

/** First the denylist, for it may be that only one of the two can be told; that the database cannot is an error. */
async function endSession({ denylist, sessions }: Access, claims: AccessClaims, by: Revoker): Promise<void> {
  await denylist.deny(claims.jti, claims.expiresAt);
  await sessions.end(claims.sessionId, by);
}

async function endAllSessions({ denylist, sessions }: Access, caller: Caller): Promise<void> {
  await denylist.deny(caller.jti, caller.expiresAt);
  await sessions.endAllOf(caller.id, 'revoke');
}

async function revokeToken(access: Access, token: string): Promise<void> {
  if (await access.sessions.endByToken(token, 'revoke')) return;
  const claims = await access.tokens.verify(token);
  if (claims !== undefined) await endSession(access, claims, 'revoke');
}
