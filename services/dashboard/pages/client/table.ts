/** What a figure draws, read from the table beside it: one source for both. */
export type Drawing = {
  readonly kind: 'columns' | 'ranking';
  readonly labels: readonly { readonly short: string; readonly long: string }[];
  readonly names: readonly string[];
  /** one array for each series */
  readonly values: readonly (readonly number[])[];
  /** how many of the series are drawn; the others are only told */
  readonly drawn: number;
};

const textOf = (element: Element | null | undefined): string => element?.textContent?.trim() ?? '';

export function readDrawing(figure: HTMLElement): Drawing {
  const headings = [...figure.querySelectorAll('thead th')].slice(1);
  const rows = [...figure.querySelectorAll('tbody tr')];
  const heads = rows.map(row => row.querySelector('th'));
  const cells = rows.map(row => [...row.querySelectorAll('data')].map(({ value }) => Number(value)));
  return {
    kind: figure.dataset['kind'] === 'ranking' ? 'ranking' : 'columns',
    drawn: Number(figure.dataset['drawn']),
    labels: heads.map(head => ({ short: head?.dataset['short'] ?? textOf(head), long: textOf(head) })),
    names: headings.map(textOf),
    values: headings.map((_, series) => cells.map(row => row[series] ?? 0)),
  };
}
