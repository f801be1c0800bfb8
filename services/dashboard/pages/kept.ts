import { type Document, documentOf } from './document.ts';

/** Addresses whose page is kept; whoever invents new ones pushes out the oldest. */
const KEPT = 200;

/**
 * Pages that are rendered once for the figures they show. The figures are cached already (30 s); as long as they are
 * the very same objects, so is the page, compressed forms and all. It is never older than its figures.
 */
export function keepPages(limit = KEPT) {
  const kept = new Map<string, { readonly figures: readonly unknown[]; readonly document: Document }>();
  return (key: string, figures: readonly unknown[], render: () => string): Document => {
    const known = kept.get(key);
    const isSame =
      known?.figures.length === figures.length && known.figures.every((each, index) => each === figures[index]);
    if (known !== undefined && isSame) return known.document;
    const document = documentOf('text/html; charset=utf-8', render());
    kept.delete(key); // a Map remembers the order of insertion: the new one is the youngest
    kept.set(key, { figures, document });
    for (const oldest of kept.keys()) {
      if (kept.size <= limit) break;
      kept.delete(oldest);
    }
    return document;
  };
}
