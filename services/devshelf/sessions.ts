import { createHash, randomBytes } from 'node:crypto';
import { Prisma, type PrismaClient } from './generated/client.ts';
import type { AccessClaims } from './tokens.ts';

/**
 * A session is one login and the family of refresh tokens that followed from it:
 *
 *   login -> token 1 -refresh-> token 2 -refresh-> token 3 …     each is good for one use
 *   a spent token comes back -> the session is revoked, with every token of it (RFC 9700, 4.14.2)
 *
 * Which one of two came first is decided by PostgreSQL: a token is spent by one UPDATE that asks whether it was spent,
 * so of any number of concurrent uses one wins and each other is a reuse. All that happens to a session later on depends
 * on its one row, so no order of rotation and revocation leaves a token alive.
 */
export type Sessions = {
  begin(userId: string): Promise<Begun>;
  rotate(refreshToken: string): Promise<Rotation>;
  /** The user's id while the session of an access token lasts and its user is active. */
  userOf(claims: AccessClaims): Promise<string | undefined>;
  /** Of a refresh token, spent or not. False when it belongs to no session that lasts. */
  endByToken(refreshToken: string, by: Revoker): Promise<boolean>;
  end(sessionId: string, by: Revoker): Promise<void>;
  endAllOf(userId: string, by: Revoker): Promise<void>;
  endOthersOf(userId: string, sessionId: string, by: Revoker): Promise<void>;
  /** False when the user has no such session that lasts. */
  endOneOf(userId: string, sessionId: string, by: Revoker): Promise<boolean>;
  /** Those that last, the newest first. */
  listOf(userId: string): Promise<readonly SessionSeen[]>;
  /** Deletes what nobody can use any more; how many. */
  prune(): Promise<number>;
};

export type SessionSeen = { readonly id: string; readonly createdAt: Date; readonly expiresAt: Date };

export type Begun = { readonly userId: string; readonly sessionId: string; readonly refreshToken: string };

export type Rotation =
  | ({ readonly outcome: 'rotated' } & Begun)
  | { readonly outcome: 'reused'; readonly sessionId: string }
  | { readonly outcome: 'refused' };

export type Revoker = 'logout' | 'revoke' | 'reuse' | 'password';

const SECRET_BYTES = 32;
// the prefix lets scanners of logs and repositories find what leaked
const newRefreshToken = () => `dsr_${randomBytes(SECRET_BYTES).toString('base64url')}`;
const REFRESH_TOKEN = /^dsr_[\w-]{43}$/;

/** A random secret needs no salt and no slow hash. */
const hashOf = (refreshToken: string) => createHash('sha256').update(refreshToken).digest();

const PRUNE_BATCH = 500;

export type SessionLimits = {
  /** a session ends when it is not refreshed for so long */
  readonly idleDays: number;
  /** and after so long whatever happens: then the password is asked for again */
  readonly maxDays: number;
};

export function openSessions(prisma: PrismaClient, { idleDays, maxDays }: SessionLimits): Sessions {
  const lifetime = Prisma.sql`make_interval(days => ${Math.min(idleDays, maxDays)}::int)`;
  const longest = Prisma.sql`make_interval(days => ${maxDays}::int)`;

  /** One statement, so that one round trip and no transaction of several. */
  const begin = async (userId: string): Promise<Begun> => {
    const refreshToken = newRefreshToken();
    const [row] = await prisma.$queryRaw<{ id: string }[]>`
      WITH begun AS (
        INSERT INTO sessions (user_id, expires_at) VALUES (${userId}::uuid, now() + ${lifetime}) RETURNING id
      ), added AS (
        INSERT INTO refresh_tokens (hash, session_id) SELECT ${hashOf(refreshToken)}, id FROM begun
      )
      SELECT id FROM begun`;
    if (row === undefined) throw new Error('the session was not stored');
    return { userId, sessionId: row.id, refreshToken };
  };

  const spend = async (refreshToken: string, next: string) => {
    const [row] = await prisma.$queryRaw<{ session_id: string; user_id: string }[]>`
      WITH spent AS (
        UPDATE refresh_tokens AS token SET used_at = now()
        FROM sessions AS session, users
        WHERE token.hash = ${hashOf(refreshToken)} AND token.used_at IS NULL
          AND session.id = token.session_id AND session.revoked_at IS NULL AND session.expires_at > now()
          AND session.created_at + ${longest} > now()
          AND users.id = session.user_id AND users.is_active
        RETURNING token.session_id, session.user_id
      ), renewed AS (
        UPDATE sessions SET expires_at = least(now() + ${lifetime}, sessions.created_at + ${longest})
        FROM spent WHERE sessions.id = spent.session_id
      ), forgotten AS (
        DELETE FROM refresh_tokens AS token USING spent
        WHERE token.session_id = spent.session_id AND token.used_at < now() - ${lifetime}
      ), added AS (
        INSERT INTO refresh_tokens (hash, session_id) SELECT ${hashOf(next)}, session_id FROM spent
      )
      SELECT session_id, user_id FROM spent`;
    return row;
  };

  const endIfSpent = async (refreshToken: string) => {
    const [row] = await prisma.$queryRaw<{ id: string }[]>`
      UPDATE sessions AS session SET revoked_at = now(), revoked_by = 'reuse'
      FROM refresh_tokens AS token
      WHERE token.hash = ${hashOf(refreshToken)} AND token.used_at IS NOT NULL
        AND session.id = token.session_id AND session.revoked_at IS NULL AND session.expires_at > now()
      RETURNING session.id`;
    return row;
  };

  const endWhere = (where: Prisma.SessionWhereInput, by: Revoker) =>
    prisma.session.updateMany({
      where: { ...where, revokedAt: null, expiresAt: { gt: new Date() } },
      data: { revokedAt: new Date(), revokedBy: by },
    });

  /** In small bites, each of which ends long before a query's timeout. */
  const pruneSome = () => prisma.$executeRaw`
    DELETE FROM sessions WHERE id IN (
      SELECT id FROM sessions WHERE expires_at < now() - interval '1 day'
      LIMIT ${PRUNE_BATCH} FOR UPDATE SKIP LOCKED
    )`;

  return {
    begin,
    rotate: async refreshToken => {
      if (!REFRESH_TOKEN.test(refreshToken)) return { outcome: 'refused' };
      const next = newRefreshToken();
      const spent = await spend(refreshToken, next);
      if (spent) {
        return { outcome: 'rotated', userId: spent.user_id, sessionId: spent.session_id, refreshToken: next };
      }
      const reused = await endIfSpent(refreshToken);
      return reused ? { outcome: 'reused', sessionId: reused.id } : { outcome: 'refused' };
    },
    userOf: async ({ userId, sessionId }) => {
      const [row] = await prisma.$queryRaw<{ id: string }[]>`
        SELECT users.id FROM sessions AS session JOIN users ON users.id = session.user_id
        WHERE session.id = ${sessionId}::uuid AND users.id = ${userId}::uuid
          AND session.revoked_at IS NULL AND users.is_active`;
      return row?.id;
    },
    endByToken: async (refreshToken, by) => {
      if (!REFRESH_TOKEN.test(refreshToken)) return false;
      const { count } = await endWhere({ tokens: { some: { hash: hashOf(refreshToken) } } }, by);
      return count > 0;
    },
    end: async (sessionId, by) => {
      await endWhere({ id: sessionId }, by);
    },
    endAllOf: async (userId, by) => {
      await endWhere({ userId }, by);
    },
    endOthersOf: async (userId, sessionId, by) => {
      await endWhere({ userId, id: { not: sessionId } }, by);
    },
    endOneOf: async (userId, sessionId, by) => {
      const { count } = await endWhere({ userId, id: sessionId }, by);
      return count > 0;
    },
    listOf: userId =>
      prisma.session.findMany({
        where: { userId, revokedAt: null, expiresAt: { gt: new Date() } },
        select: { id: true, createdAt: true, expiresAt: true },
        orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      }),
    prune: async () => {
      for (let total = 0; ; ) {
        const count = await pruneSome();
        total += count;
        if (count < PRUNE_BATCH) return total;
      }
    },
  };
}
