import { expect, test } from '@jest/globals';
import { rereading } from './config.ts';
import type { Credentials } from './transport.ts';

function source() {
  let nowMs = 0;
  const state = { reads: 0, token: 'first', ca: 'ca', broken: false };
  const read = async (): Promise<Credentials> => {
    state.reads++;
    if (state.broken) throw new Error('no file');
    return { headers: { authorization: state.token }, tls: { ca: state.ca } };
  };
  const credentials = rereading(read, () => nowMs);
  return { state, credentials, pass: (ms: number) => (nowMs += ms) };
}

test('credentials are read again after a minute, and shared by those who ask at once', async () => {
  const { state, credentials, pass } = source();
  await Promise.all([credentials(false), credentials(false)]);
  pass(59_999);
  await credentials(false);
  expect(state.reads).toBe(1);
  state.token = 'second';
  pass(1);
  expect((await credentials(false)).headers).toEqual({ authorization: 'second' });
});

test('credentials that were refused are read again at once', async () => {
  const { state, credentials } = source();
  await credentials(false);
  state.token = 'second';
  expect((await credentials(true)).headers).toEqual({ authorization: 'second' });
});

test('certificates that did not change stay the same object, so connections are kept', async () => {
  const { state, credentials } = source();
  const { tls } = await credentials(false);
  expect((await credentials(true)).tls).toBe(tls);
  state.ca = 'another';
  expect((await credentials(true)).tls).toEqual({ ca: 'another' });
});

test('a file that is just being replaced does not stop anything; one that was never there does', async () => {
  const { state, credentials } = source();
  state.broken = true;
  await expect(credentials(false)).rejects.toThrow('no file');
  state.broken = false;
  await credentials(false);
  state.broken = true;
  expect((await credentials(true)).headers).toEqual({ authorization: 'first' });
});
