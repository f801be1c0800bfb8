import { expect, test } from '@jest/globals';
import { Alike } from './alike.ts';

const shop = (name: string) => ({
  metadata: { name, labels: { shop: name } },
  words: Array.from({ length: 40 }, (_, index) => `sentence ${index} that all shops have in common`),
});

test('what is packed is read as it was, whatever is said in it', () => {
  const alike = new Alike();
  const values = [
    shop('a'),
    shop('b'),
    null,
    {},
    { words: 'a name like ’Ñandú 日本 \u0000 \ud800' },
    Array.from({ length: 50_000 }, (_, index) => index),
    shop('c'),
  ];
  const packed = values.map(value => alike.pack(value));
  expect(packed.map(one => one.read())).toEqual(values);
  expect(packed[0]?.read()).not.toBe(packed[0]?.read());
});

test('of what says nearly the same only the difference takes room', () => {
  const alike = new Alike();
  const whole = JSON.stringify(shop('a')).length;
  alike.pack(shop('a'));
  expect(alike.pack(shop('b')).bytes).toBeLessThan(whole / 20);
});
