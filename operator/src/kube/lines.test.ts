import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LineSplitter } from './lines.ts';

test('characters and lines that span chunks arrive whole, however the bytes are cut', () => {
  const line = fc.string({ unit: 'binary' }).map(text => JSON.stringify({ text: `é€😀${text}` }));
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(line), cuts, (lines, sizes) => {
      const bytes = Buffer.from(lines.map(each => `${each}\n`).join(''));
      const splitter = new LineSplitter();
      const seen: string[] = [];
      for (let start = 0, turn = 0; start < bytes.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        seen.push(...splitter.push(bytes.subarray(start, start + size)));
        start += size;
      }
      expect(seen).toEqual(lines);
      expect(splitter.pendingBytes).toBe(0);
    }),
  );
});

test('what follows the last line end is pending', () => {
  const splitter = new LineSplitter();
  expect(splitter.push(Buffer.from('{"a":1}\n\r\n{"b":'))).toEqual(['{"a":1}']);
  expect(splitter.pendingBytes).toBe(5);
  expect(splitter.push(Buffer.from('2}\n'))).toEqual(['{"b":2}']);
});
