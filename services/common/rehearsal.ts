// Requests of the operator that rehearse a release: asked as users ask, and counted as nobody's.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { findKeyId, type KeyringSource } from './keyring.ts';

const REHEARSAL = Symbol('rehearsal');
type Marked = FastifyRequest & { [REHEARSAL]?: true };

/** The scrape token is shown here, because `Authorization` is for what users show. */
const TOKEN = 'x-scrape-token';

/**
 * Marks what says `X-Rehearsal: 1` and shows the scrape token; to be called before whatever counts, logs or limits.
 * Without the token the header means nothing, and without a keyring nobody has one.
 */
export function markRehearsals(app: FastifyInstance, scrapeKeys: KeyringSource | undefined): void {
  if (scrapeKeys === undefined) return;
  app.addHook('onRequest', (request: Marked, _reply, done) => {
    const { headers } = request.raw;
    if (headers['x-rehearsal'] === '1') {
      const token = headers[TOKEN];
      if (typeof token === 'string' && findKeyId(scrapeKeys.value, token) !== undefined) request[REHEARSAL] = true;
    }
    done();
  });
}

/** Whether the operator asks, and no user. */
export const isRehearsal = (request: Marked): boolean => request[REHEARSAL] === true;
