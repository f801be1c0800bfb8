import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import type { Handlers } from './consumer.ts';
import { type Job, PREFIX } from './jobs.ts';
import { mayPass, type Visit } from './visit.ts';

/** The part of the database that the worker knows: three statements do not need an object mapper's memory. */
export type LinkStore = {
  /** undefined when there is no such resource any more */
  urlOf(id: string): Promise<string | undefined>;
  /** Does nothing when the URL is another one by now: that one has a job of its own. */
  save(id: string, url: string, found: Visit): Promise<void>;
  /** Resources to be checked now, the longest due first. They are due again in an hour, should nothing come of it. */
  claimDue(limit: number): Promise<readonly string[]>;
  /** Later today, spread, so that what was put off together does not come back together. */
  putOff(id: string): Promise<void>;
};

export function openLinkStore(pool: Pool): LinkStore {
  return {
    urlOf: async id => {
      const { rows } = await pool.query<{ url: string }>('SELECT url FROM resources WHERE id = $1', [id]);
      return rows[0]?.url;
    },
    save: async (id, url, { status = null, fault = null, title = null }) => {
      // the title of an error page is not the resource's; the last good one stays. Some minutes more or less
      // spread what was created together over the day
      await pool.query(
        `UPDATE resources SET link_status = $3::smallint, link_error = $4,
           link_title = CASE WHEN $3::smallint BETWEEN 200 AND 299 THEN $5 ELSE link_title END,
           link_checked_at = now(), link_due_at = now() + interval '1 day' * (0.95 + 0.1 * random())
         WHERE id = $1 AND url = $2`,
        [id, url, status, fault, title],
      );
    },
    claimDue: async limit => {
      const { rows } = await pool.query<{ id: string }>(
        `UPDATE resources SET link_due_at = now() + interval '1 hour' WHERE id IN (
           SELECT id FROM resources WHERE link_due_at <= now() ORDER BY link_due_at LIMIT $1 FOR UPDATE SKIP LOCKED
         ) RETURNING id`,
        [limit],
      );
      return rows.map(({ id }) => id);
    },
    putOff: async id => {
      const later = "now() + interval '10 minutes' + random() * interval '6 hours'";
      await pool.query(`UPDATE resources SET link_due_at = ${later} WHERE id = $1`, [id]);
    },
  };
}

/** Between two requests to one host, from all workers together. Milliseconds */
export const HOST_GAP_MS = 1_000;

/** So far ahead a host's turns are given away: many links of one host wait in the database, not in Redis' memory. */
export const HOST_QUEUE_MS = 10 * 60_000;

/**
 * The next free moment of a host, which is then the caller's; undefined when too many wait already. `now` is
 * milliseconds since 1970. Each caller asks once and comes back then, so links of one host queue up in order instead
 * of trying again and again. The key outlives the turn by a minute, for workers whose clocks differ.
 */
export async function takeTurn(redis: Redis, host: string, now: number): Promise<number | undefined> {
  const key = `${PREFIX}:host:${host}`;
  const turn = Number(await redis.eval(TAKE_TURN, 1, key, now, HOST_GAP_MS, now + HOST_QUEUE_MS));
  return turn < 0 ? undefined : turn;
}

const TAKE_TURN = `
local turn = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or 0))
if turn > tonumber(ARGV[3]) then return -1 end
redis.call('SET', KEYS[1], turn + ARGV[2], 'PX', turn + ARGV[2] - ARGV[1] + 60000)
return turn`;

/** One sweep hands over so many checks: at one a minute 720,000 a day. */
export const SWEEP_SIZE = 500;

/** With so many jobs in the queue (nobody keeps up, say because pods get no answer from outside) no sweep adds more. */
export const MAX_BACKLOG = 2_000;

/** The link gave no answer that could be kept yet: the queue tries again. */
class LinkUnanswered extends Error {
  readonly code = 'LINK_UNANSWERED';
}

export type LinkSettings = {
  readonly store: LinkStore;
  readonly redis: Redis;
  readonly visit: (url: string, signal: AbortSignal) => Promise<Visit>;
  readonly addAll: (jobs: readonly Job[]) => Promise<void>;
  /** jobs that wait, or wait for their time */
  readonly backlog: () => Promise<number>;
};

/** The jobs about links. What a broken link answers is a result, not a failure of the job. */
export function linkHandlers({ store, redis, visit, addAll, backlog }: LinkSettings): Handlers {
  return {
    'link.check': async ({ id }, attempt) => {
      const url = await store.urlOf(id);
      if (url === undefined) return;
      const now = Date.now();
      const turn = attempt.turn ?? (await takeTurn(redis, URL.parse(url)?.host ?? '', now));
      if (turn === undefined) return store.putOff(id);
      if (turn > now) await attempt.putOff(turn);
      const found = await visit(url, attempt.signal);
      if (mayPass(found) && !attempt.last) throw new LinkUnanswered(found.fault ?? `status ${found.status}`);
      await store.save(id, url, found);
    },
    'links.sweep': async () => {
      if ((await backlog()) > MAX_BACKLOG) return;
      const due = await store.claimDue(SWEEP_SIZE);
      if (due.length > 0) await addAll(due.map(id => ({ name: 'link.check', id })));
    },
  };
}
