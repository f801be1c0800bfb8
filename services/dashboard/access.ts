import type { FastifyReply, FastifyRequest } from 'fastify';
import { findKeyId, type KeyringSource } from '../common/keyring.ts';

export type ApiKeyCheck = (request: FastifyRequest) => 'granted' | 'missing' | 'wrong';

/** Without any key configured (development only, production refuses to start) every caller is let in. */
export function apiKeyCheck(keys: KeyringSource | undefined): ApiKeyCheck {
  return request => {
    if (keys === undefined) return 'granted';
    const presented = request.headers['x-api-key'];
    if (typeof presented !== 'string' || presented === '') return 'missing';
    const id = findKeyId(keys.value, presented);
    if (id === undefined) return 'wrong';
    request.log.debug({ kid: id }, 'API key accepted');
    return 'granted';
  };
}

const REFUSALS = { missing: 'API key requerida', wrong: 'API key inválida' } as const;

/** A hook for the routes that need `X-API-Key`. */
export function requireApiKey(check: ApiKeyCheck) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const outcome = check(request);
    return outcome === 'granted' ? undefined : reply.code(401).send({ detail: REFUSALS[outcome] });
  };
}
