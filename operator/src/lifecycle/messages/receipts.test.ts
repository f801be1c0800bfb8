import { expect, test } from '@jest/globals';
import { hasReceipt, parseReceipts } from './receipts.ts';

const RECEIPT = { outcome: 'sent', of: '2026-11-28T14:38:06.625Z', at: '2026-11-28T14:38:07.000Z' } as const;

test('a receipt is of one sink and of one decision', () => {
  const receipts = parseReceipts(JSON.stringify({ ops: RECEIPT }));
  expect(hasReceipt(receipts, 'ops', RECEIPT.of)).toBe(true);
  expect(hasReceipt(receipts, 'bus', RECEIPT.of)).toBe(false);
  expect(hasReceipt(receipts, 'ops', '2026-11-28T16:00:00.000Z')).toBe(false);
});

test.each([undefined, '', 'no JSON', 'null', '[]', '{"ops":true}', '{"ops":{"outcome":"sent"}}'])(
  '%s holds no receipt',
  text => {
    expect(parseReceipts(text)).toEqual({});
  },
);
