import { expect, test } from '@jest/globals';
import { OwnWrites } from './own-writes.ts';

test('what was written is unseen until the stores show it, per key', () => {
  const writes = new OwnWrites();
  let isSeen = false;
  writes.expect('a', 'Job x', () => isSeen);
  expect(writes.unseen('a')).toBe('Job x');
  expect(writes.unseen('b')).toBeUndefined();
  isSeen = true;
  expect(writes.unseen('a')).toBeUndefined();
});

test('every write must be seen, in whatever order they appear', () => {
  const writes = new OwnWrites();
  const seen = new Set<string>();
  for (const what of ['Job x', 'Deployment y']) writes.expect('a', what, () => seen.has(what));
  seen.add('Job x');
  expect(writes.unseen('a')).toBe('Deployment y');
  seen.add('Deployment y');
  expect(writes.unseen('a')).toBeUndefined();
});

test('a write that the stores show already is not waited for', () => {
  const writes = new OwnWrites();
  writes.expect('a', 'Job x', () => true);
  expect(writes.unseen('a')).toBeUndefined();
});

test('a write that is never seen was overtaken: after ten seconds the stores are believed', () => {
  let nowMs = 0;
  const writes = new OwnWrites(() => nowMs);
  writes.expect('a', 'Job x', () => false);
  nowMs = 9_999;
  expect(writes.unseen('a')).toBe('Job x');
  nowMs = 10_000;
  expect(writes.unseen('a')).toBeUndefined();
});

test('what concerns a resource that is gone is forgotten', () => {
  const writes = new OwnWrites();
  writes.expect('a', 'Job x', () => false);
  writes.forget('a');
  expect(writes.unseen('a')).toBeUndefined();
});
