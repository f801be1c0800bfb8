/** What a spreadsheet would take for a formula; some fold the full-width signs first. */
const FORMULA = /^[=+\-@\t\r＝＋－＠]/;
const NEEDS_QUOTES = /[",\r\n]/;

export type Cell = string | number;

/** A text that would be a formula gets an apostrophe before it, as spreadsheets write text; numbers stay numbers. */
function cell(value: Cell): string {
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 4180: CRLF after each line, quotes where needed, doubled inside. */
export function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map(row => `${row.map(cell).join(',')}\r\n`).join('');
}
