import { Counter, Gauge, type Registry } from 'prom-client';
import { passwordTurns } from './passwords.ts';

/** The routes that are limited; also the values of the label `route`. */
export type Limited = 'token' | 'register' | 'refresh' | 'password' | 'forgotten' | 'create' | 'search';

export type AuthMetrics = {
  readonly logins: Counter<'outcome'>;
  readonly refreshes: Counter<'outcome'>;
  readonly mails: Counter<'outcome'>;
  readonly rateLimited: Counter<'route' | 'reason'>;
};

/** From 0 on: a rate over a series that is born with its first count does not see that one. */
function counted(counter: Counter<'outcome'>, outcomes: readonly string[]): Counter<'outcome'> {
  for (const outcome of outcomes) counter.inc({ outcome }, 0);
  return counter;
}

/** What happens to accounts and tokens. No label holds anything that a client can choose. */
export function countAuth(registry: Registry): AuthMetrics {
  const registers = [registry];
  new Gauge({
    name: 'devshelf_password_hashes',
    help: 'Passwords that are being hashed, and that wait for it',
    labelNames: ['state'],
    registers,
    collect() {
      this.set({ state: 'running' }, passwordTurns.running);
      this.set({ state: 'waiting' }, passwordTurns.waiting);
    },
  });
  return {
    logins: counted(
      new Counter({
        name: 'devshelf_logins_total',
        help: 'Logins, by outcome: granted, refused',
        labelNames: ['outcome'] as const,
        registers,
      }),
      ['granted', 'refused'],
    ),
    refreshes: counted(
      new Counter({
        name: 'devshelf_refreshes_total',
        help: 'Uses of a refresh token, by outcome: rotated, refused, reused (a spent one came back: its session ended)',
        labelNames: ['outcome'] as const,
        registers,
      }),
      ['rotated', 'refused', 'reused'],
    ),
    mails: counted(
      new Counter({
        name: 'devshelf_mails_total',
        help: 'Mails, by outcome: sent (the mail server took it), failed',
        labelNames: ['outcome'] as const,
        registers,
      }),
      ['sent', 'failed'],
    ),
    rateLimited: new Counter({
      name: 'devshelf_rate_limited_total',
      help: 'Requests answered 429, by route and reason: client (asked too often), account (failed too often), capacity (too many at once from all)',
      labelNames: ['route', 'reason'] as const,
      registers,
    }),
  };
}
