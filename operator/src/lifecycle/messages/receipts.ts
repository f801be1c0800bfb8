// Receipts: that a sink has a record, as an annotation of the record itself. Whoever starts next reads them, so nothing
// is sent twice but what a process died over between the answer and the receipt.

import { jsonOf } from '../../api/json.ts';

/** `sent`: it was taken. `refused`: it never will be. */
export interface Receipt {
  readonly outcome: 'sent' | 'refused';
  /** Of the decision that was told: a release may be found good a second time. RFC 3339, as the record has it. */
  readonly of: string;
  /** RFC 3339: when it was answered. */
  readonly at: string;
}

export type Receipts = Readonly<Record<string, Receipt>>;

/** By sink; what is none in it is left out. */
export function parseReceipts(text: string | undefined): Receipts {
  return Object.fromEntries(Object.entries(jsonOf(text) ?? {}).filter(([, value]) => isReceipt(value)));
}

function isReceipt(value: unknown): value is Receipt {
  const { outcome, of, at } = (value ?? {}) as Partial<Record<keyof Receipt, unknown>>;
  return (outcome === 'sent' || outcome === 'refused') && typeof of === 'string' && typeof at === 'string';
}

export const hasReceipt = (receipts: Receipts, sink: string, of: string): boolean => receipts[sink]?.of === of;
