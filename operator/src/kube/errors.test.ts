import { expect, test } from '@jest/globals';
import { isConflict, isGone, parseRetryAfter, parseStatus, refused } from './errors.ts';

test.each([
  ['seconds', '3', 3_000],
  ['a date', 'Thu, 01 Jan 1970 00:00:07 GMT', 5_000],
  ['a date that is over', 'Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['nonsense', 'soon', undefined],
  ['nothing', '', undefined],
  ['no header', undefined, undefined],
])('Retry-After: %s', (_case, header, ms) => {
  expect(parseRetryAfter(header, 2_000)).toBe(ms);
});

test.each([
  ['a Status', 'application/json', '{"kind":"Status","code":409}', 409],
  ['the answer of a pod that speaks JSON', 'application/json', '{"kind":"Pod"}', undefined],
  ['a proxy’s page', 'text/html', '<html>', undefined],
  ['a page that calls itself JSON', 'application/json', '<html>', undefined],
  ['an answer of null', 'application/json', 'null', undefined],
])('the API server’s own refusal is told from %s', (_case, contentType, text, code) => {
  expect(parseStatus(contentType, text)?.code).toBe(code);
});

test('a refusal keeps what the server said, and how long to wait, from the header or else from the body', () => {
  const body = { kind: 'Status', reason: 'Conflict', message: 'changed', details: { retryAfterSeconds: 2 } };
  const error = refused('ApplyFailed', 'PATCH /x', { status: 409, body });
  expect(error).toMatchObject({ code: 'ApplyFailed', status: 409, reason: 'Conflict', retryAfterMs: 2_000 });
  expect(error.message).toBe('PATCH /x: 409 changed');
  expect([isConflict(error), isGone(error)]).toEqual([true, false]);
  expect(refused('GetFailed', 'GET /x', { status: 503, body, retryAfterMs: 1 }).retryAfterMs).toBe(1);
});

test.each([
  ['no number', 'soon'],
  ['no finite number', Number.POSITIVE_INFINITY],
])('a body that asks to come again after %s asks nothing', (_case, seconds) => {
  const body = { kind: 'Status', details: { retryAfterSeconds: seconds as number } };
  expect(refused('ListFailed', 'GET /x', { status: 429, body }).retryAfterMs).toBeUndefined();
});

test('a refusal without a Status shows the beginning of what came', () => {
  const error = refused('GetFailed', 'GET /x', { status: 502, text: `<html>${'x'.repeat(999)}` });
  expect(error.reason).toBe('Http502');
  expect(error.message.length).toBeLessThan(250);
});
