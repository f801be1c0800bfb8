import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readConfig } from '../common/config.ts';
import { createLogger } from '../common/logging.ts';
import { createRegistry } from '../common/metrics.ts';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { apiConfig } from './config.ts';
import { type Database, openDatabase } from './database.ts';
import { openSessions, type Sessions } from './sessions.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;

let postgres: TestPostgres;
let databaseUrl: string;
let database: Database;
let sessions: Sessions;

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
  const config = readConfig(apiConfig, { DATABASE_URL: databaseUrl });
  database = openDatabase(config, createLogger('test', 'silent'), createRegistry());
  sessions = openSessions(database.prisma, { idleDays: 14, maxDays: 90 });
}, 60_000);
afterAll(async () => {
  await database?.close();
  await postgres?.remove();
});

/** What a session must be like, said as simply as possible. */
type Model = {
  readonly userId: string;
  readonly sessionId: string;
  current: string;
  readonly spent: string[];
  over: boolean;
};

type World = { readonly users: readonly string[]; readonly active: Map<string, boolean>; readonly sessions: Model[] };

const lives = ({ active }: World, { userId, over }: Model) => !over && active.get(userId) === true;

const claimsOf = ({ userId, sessionId }: Model) => ({ userId, sessionId, jti: 'any', expiresAt: new Date() });

type Step = (world: World) => Promise<void>;

/** Picks one of what there is by then; nothing happens while there is none. */
const withSession = (act: (world: World, session: Model, number: number) => Promise<void>) =>
  fc.nat(1_000).map((number): Step => {
    return async world => {
      const session = world.sessions[number % Math.max(1, world.sessions.length)];
      if (session !== undefined) await act(world, session, number);
    };
  });

const logIn = fc.nat(1).map((index): Step => {
  return async world => {
    const userId = world.users[index] ?? '';
    const { sessionId, refreshToken } = await sessions.begin(userId);
    world.sessions.push({ userId, sessionId, current: refreshToken, spent: [], over: false });
  };
});

/** The same token once, or several times at once. */
const refresh = fc.integer({ min: 1, max: 4 }).chain(times =>
  withSession(async (world, session) => {
    const alive = lives(world, session);
    const answers = await Promise.all(Array.from({ length: times }, () => sessions.rotate(session.current)));
    const won = answers.filter(answer => answer.outcome === 'rotated');
    expect(won.length).toBe(alive ? 1 : 0);
    if (won[0]?.outcome !== 'rotated') return;
    expect(won[0]).toMatchObject({ userId: session.userId, sessionId: session.sessionId });
    session.spent.push(session.current);
    session.current = won[0].refreshToken;
    session.over = times > 1;
    // the first who comes too late ends the session, so the others are too late even for that
    expect(answers.filter(answer => answer.outcome === 'reused').length).toBe(times > 1 ? 1 : 0);
  }),
);

const refreshWithSpent = withSession(async (_world, session, number) => {
  const spent = session.spent[number % Math.max(1, session.spent.length)];
  if (spent === undefined) return;
  expect((await sessions.rotate(spent)).outcome).toBe(session.over ? 'refused' : 'reused');
  session.over = true;
});

const logOut = withSession(async (_world, session) => {
  await sessions.end(session.sessionId, 'logout');
  session.over = true;
});

const revokeByToken = withSession(async (_world, session, number) => {
  const tokens = [session.current, ...session.spent];
  expect(await sessions.endByToken(tokens[number % tokens.length] ?? '', 'revoke')).toBe(!session.over);
  session.over = true;
});

const revokeAll = fc.nat(1).map((index): Step => {
  return async world => {
    const userId = world.users[index] ?? '';
    await sessions.endAllOf(userId, 'revoke');
    for (const session of world.sessions) if (session.userId === userId) session.over = true;
  };
});

const switchUser = fc.tuple(fc.nat(1), fc.boolean()).map(([index, active]): Step => {
  return async world => {
    const userId = world.users[index] ?? '';
    await query(databaseUrl, `UPDATE users SET is_active = ${active} WHERE id = '${userId}'`);
    world.active.set(userId, active);
  };
});

/** A refresh and a logout at the same time: whoever is first, in the end the session is over. */
const refreshWhileLoggingOut = withSession(async (_world, session) => {
  const [rotation] = await Promise.all([sessions.rotate(session.current), sessions.end(session.sessionId, 'logout')]);
  session.over = true;
  if (rotation.outcome !== 'rotated') return;
  session.spent.push(session.current);
  session.current = rotation.refreshToken;
});

const step = fc.oneof(
  { weight: 3, arbitrary: logIn },
  { weight: 6, arbitrary: refresh },
  { weight: 2, arbitrary: refreshWithSpent },
  { weight: 1, arbitrary: logOut },
  { weight: 1, arbitrary: revokeByToken },
  { weight: 1, arbitrary: revokeAll },
  { weight: 1, arbitrary: switchUser },
  { weight: 1, arbitrary: refreshWhileLoggingOut },
);

async function newWorld(run: number): Promise<World> {
  const rows = await query(
    databaseUrl,
    `INSERT INTO users (username, email, hashed_password)
     SELECT 'user ' || n || ' of ${run}', n || '@${run}.example.org', '' FROM generate_series(1, 2) AS n RETURNING id::text`,
  );
  const users = rows.map(row => String(row['id']));
  return { users, active: new Map(users.map(id => [id, true])), sessions: [] };
}

test('whatever happens in whatever order, a session lets in whom it must and nobody else', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
      run += 1;
      const world = await newWorld(run);
      for (const act of steps) {
        await act(world);
        for (const session of world.sessions) {
          const expected = lives(world, session) ? session.userId : undefined;
          expect(await sessions.userOf(claimsOf(session))).toBe(expected);
        }
      }
      // no session has more than one token that can still be used
      const usable = await query(
        databaseUrl,
        'SELECT session_id FROM refresh_tokens WHERE used_at IS NULL GROUP BY session_id HAVING count(*) > 1',
      );
      expect(usable).toEqual([]);
    }),
    { numRuns: 40 },
  );
}, 120_000);

test("a session is its user's own: its id under another user's name lets nobody in", async () => {
  const world = await newWorld(0);
  const [mine, yours] = [await sessions.begin(world.users[0] ?? ''), await sessions.begin(world.users[1] ?? '')];
  const crossed = { userId: mine.userId, sessionId: yours.sessionId, jti: 'any', expiresAt: new Date() };
  expect(await sessions.userOf(crossed)).toBeUndefined();
});
