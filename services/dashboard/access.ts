import type { FastifyRequest } from 'fastify';
import { HttpError } from '../common/http-errors.ts';
import { acceptKey, type KeyringSource, sameSecret } from '../common/keyring.ts';

export type ApiKeyOutcome = 'granted' | 'missing' | 'wrong';
export type ApiKeyCheck = (request: FastifyRequest) => ApiKeyOutcome;

const presentedKey = ({ headers }: FastifyRequest): string | undefined => {
  const presented = headers['x-api-key'];
  return typeof presented === 'string' && presented !== '' ? presented : undefined;
};

/** Without any key configured (development only, production refuses to start) every caller is let in. */
export function apiKeyCheck(keys: KeyringSource | undefined): ApiKeyCheck {
  return request => {
    if (keys === undefined) return 'granted';
    const presented = presentedKey(request);
    if (presented === undefined) return 'missing';
    const id = acceptKey(keys, presented);
    if (id === undefined) return 'wrong';
    request.log.debug({ kid: id }, 'API key accepted');
    return 'granted';
  };
}

const READING = ['GET', 'HEAD'];

/** The user interface's key reads the API, too, and opens nothing else. */
export function orUiKey(check: ApiKeyCheck, uiKey: string | undefined): ApiKeyCheck {
  if (uiKey === undefined) return check;
  return request => {
    const outcome = check(request);
    if (outcome === 'granted' || !READING.includes(request.method)) return outcome;
    const presented = presentedKey(request);
    return presented !== undefined && sameSecret(presented, uiKey) ? 'granted' : outcome;
  };
}

/** What somebody is told who was not granted. */
export const refusalOf = (outcome: ApiKeyOutcome) => (outcome === 'wrong' ? 'API key inválida' : 'API key requerida');

/** For the routes that need `X-API-Key`. */
export function requireApiKey(check: ApiKeyCheck) {
  return (request: FastifyRequest): void => {
    const outcome = check(request);
    if (outcome !== 'granted') throw new HttpError(401, refusalOf(outcome));
  };
}
