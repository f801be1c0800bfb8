import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { restAfterFailure } from './rest.ts';

/** How often something happened within the window that its first hit opened, and when that window ends. */
export type Hits = { readonly count: number; readonly resetMs: number };

export type RateLimit = { readonly max: number; readonly windowMs: number };

export type Verdict = {
  readonly limited: boolean;
  /** RateLimit fields (draft-ietf-httpapi-ratelimit-headers-10), and Retry-After for those who must wait */
  readonly headers: Readonly<Record<string, string>>;
};

/** What so many hits mean under this limit. Seconds are rounded up: who comes back then is let in. */
export function judgeBy({ max, windowMs }: RateLimit): (hits: Hits) => Verdict {
  const policy = `"default";q=${max};w=${Math.ceil(windowMs / 1_000)}`;
  return ({ count, resetMs }) => {
    const limited = count > max;
    // a difference of two clock readings may be a trifle longer than the window
    const resetSeconds = String(Math.max(1, Math.ceil(Math.min(resetMs, windowMs) / 1_000)));
    const ratelimit = `"default";r=${limited ? 0 : max - count};t=${resetSeconds}`;
    const headers = { 'ratelimit-policy': policy, ratelimit };
    return { limited, headers: limited ? { ...headers, 'retry-after': resetSeconds } : headers };
  };
}

/** The first four groups of an IPv6 address are one customer's: the other four are his to change at will. */
const IPV6_PREFIX_GROUPS = 4;

/** Whom a limit counts: an IPv4 address, or an IPv6 network of 64 bits. All that is no address is one client. */
export function clientKey(ip: string): string {
  if (isIPv4(ip)) return ip;
  if (!ipaddr.isValid(ip)) return 'unknown';
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const network = address.parts.slice(0, IPV6_PREFIX_GROUPS).map(part => part.toString(16));
  return `${network.join(':')}::/64`;
}

export type MemoryHits = {
  hit(key: string, windowMs: number): Hits;
  /** what was counted so far, without counting */
  peek(key: string): Hits;
};

const NONE: Hits = { count: 0, resetMs: 0 };

/**
 * Counts in this process alone. `maxKeys` bounds the memory that strangers can make us use: beyond it the oldest
 * window is forgotten.
 */
export function memoryHits(maxKeys = 10_000, now: () => number = () => performance.now()): MemoryHits {
  const windows = new Map<string, { count: number; readonly endsAt: number }>();

  const open = (key: string, endsAt: number) => {
    windows.delete(key); // so that the newest window is always the last
    if (windows.size >= maxKeys) makeRoom(windows, now());
    const window = { count: 0, endsAt };
    windows.set(key, window);
    return window;
  };
  return {
    hit: (key, windowMs) => {
      const at = now();
      const known = windows.get(key);
      const window = known !== undefined && known.endsAt > at ? known : open(key, at + windowMs);
      window.count += 1;
      return { count: window.count, resetMs: window.endsAt - at };
    },
    peek: key => {
      const window = windows.get(key);
      const resetMs = window === undefined ? 0 : window.endsAt - now();
      return window !== undefined && resetMs > 0 ? { count: window.count, resetMs } : NONE;
    },
  };
}

function makeRoom(windows: Map<string, { readonly endsAt: number }>, at: number): void {
  const size = windows.size;
  for (const [key, { endsAt }] of windows) if (endsAt <= at) windows.delete(key);
  const [oldest] = windows.keys();
  if (windows.size === size && oldest !== undefined) windows.delete(oldest);
}

/** The one thing of a Redis client that is needed here. */
export type ScriptRunner = { eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown> };

export type SharedHits = {
  hit(key: string, windowMs: number): Promise<Hits>;
  peek(key: string): Promise<Hits>;
};

// one script, for a key that is counted but never expires would shut its client out for good
const COUNT = `
local count = redis.call('INCR', KEYS[1])
local reset = redis.call('PTTL', KEYS[1])
if reset < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  reset = tonumber(ARGV[1])
end
return {count, reset}`;

const READ = `return {tonumber(redis.call('GET', KEYS[1]) or 0), redis.call('PTTL', KEYS[1])}`;

/** Counts in Redis, for all processes together. Rejects when Redis does. */
export function redisHits(redis: ScriptRunner, prefix: string): SharedHits {
  return {
    hit: async (key, windowMs) => {
      const answer = await redis.eval(COUNT, 1, `${prefix}${key}`, windowMs);
      const [count, resetMs] = answer as [number, number];
      return { count, resetMs };
    },
    peek: async key => {
      const [count, resetMs] = (await redis.eval(READ, 1, `${prefix}${key}`)) as [number, number];
      return count === 0 ? NONE : { count, resetMs };
    },
  };
}

/**
 * Counts in `shared`, and in `own` when that fails: each process then counts for itself, so a client may get as many
 * times the limit as there are processes, but never no limit.
 */
export function hitsWithFallback(
  shared: SharedHits,
  own: MemoryHits,
  onFailure: (error: unknown) => void = () => undefined,
  now: () => number = () => performance.now(),
): SharedHits {
  const ask = restAfterFailure(shared.hit, onFailure, now);
  const look = restAfterFailure(shared.peek, onFailure, now);
  return {
    peek: async key => {
      try {
        return await look(key);
      } catch {
        return own.peek(key);
      }
    },
    hit: async (key, windowMs) => {
      try {
        return await ask(key, windowMs);
      } catch {
        return own.hit(key, windowMs);
      }
    },
  };
}
