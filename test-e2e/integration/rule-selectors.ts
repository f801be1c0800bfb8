// Which series an expression reads, also where nothing follows their name.

export interface Selector {
  readonly series: string;
  /** As they are written, braces included; empty where there are none. */
  readonly matchers: string;
}

const TEXT = String.raw`"(?:[^"\\]|\\.)*"`;
const MATCHERS = String.raw`\{(?:${TEXT}|[^}"])*\}`;
/** Texts, durations and lists of labels have words in them that are no series. */
const NO_SERIES = String.raw`${TEXT}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`;
const TOKEN = new RegExp(String.raw`${NO_SERIES}|([a-zA-Z_:][\w:]*)\s*(\(|${MATCHERS})?`, 'g');
const WORDS = 'and or unless bool offset sum max min avg count topk by without on ignoring group_left group_right';

export function selectorsIn(expr: string): readonly Selector[] {
  return [...expr.matchAll(TOKEN)].flatMap(([, series, more = '']) =>
    series === undefined || more === '(' || WORDS.split(' ').includes(series) ? [] : [{ series, matchers: more }],
  );
}
