import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Alike } from './alike.ts';

const shop = (name: string) =>
  JSON.stringify({
    metadata: { name, labels: { shop: name } },
    words: Array.from({ length: 40 }, (_, index) => `sentence ${index} that all shops have in common`),
  });

test('what is packed is read as it was, whatever is said in it, and whatever was packed before and after', () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('ab'.repeat(400), 'a'.repeat(700), '’Ñandú 日本'),
  );
  const value = fc.oneof(
    fc.array(word, { maxLength: 20 }),
    fc.dictionary(word, fc.oneof(word, fc.array(word))),
    fc.constantFrom(null, {}, '', JSON.parse(shop('a')), JSON.parse(shop('b')), '\u0000\ud800'),
    fc.constantFrom(...[400, 9_000].map(length => Array.from({ length }, (_, index) => index))),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), values => {
      const alike = new Alike();
      const texts = values.map(one => JSON.stringify(one));
      const packed = texts.map(text => alike.pack(text));
      expect(packed.map(one => alike.read(one))).toEqual(texts);
    }),
    { numRuns: 100 },
  );
});

test('what a long text says twice beyond the places that have a number is read as it was', () => {
  const alike = new Alike();
  const words = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => `${Math.sin(from + index)}`);
  const text = JSON.stringify([...words(0, 3_000), ...words(2_500, 500), ...words(0, 500), ...words(9_000, 2_000)]);
  expect(text.length).toBeGreaterThan(100_000);
  expect(alike.read(alike.pack(text))).toBe(text);
});

test('of what says nearly the same only the difference takes room', () => {
  const alike = new Alike();
  alike.pack(shop('a'));
  expect(alike.pack(shop('b')).length).toBeLessThan(shop('b').length / 20);
});

test('what is like nothing before it is learnt, and what it says twice is kept once', () => {
  const alike = new Alike();
  alike.pack(shop('a'));
  const uid = '0b9a7c1e-55c4-4f0a-9d2b-3f1f9c7a8e10';
  const other = (name: string) => JSON.stringify({ name, uid, owner: `kept by ${uid}`, about: 'nothing that is sold' });
  const first = alike.pack(other('x')).length;
  expect(first).toBeLessThan(other('x').length);
  expect(alike.pack(other('y')).length).toBeLessThan(first / 3);
});
