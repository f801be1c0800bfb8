// Which series an expression reads, also where nothing follows their name.

export interface Selector {
  readonly series: string;
  /** As they are written, braces included; empty where there are none. */
  readonly matchers: string;
}

const TEXT = String.raw`"(?:[^"\\]|\\.)*"`;
const MATCHERS = String.raw`\{(?:${TEXT}|[^}"])*\}`;
/** Texts, durations, numbers and lists of labels have words in them that are no series. */
const NO_SERIES = String.raw`${TEXT}|\b\d[\w.]*|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`;
const TOKEN = new RegExp(String.raw`${NO_SERIES}|([a-zA-Z_:][\w:]*)\s*(\(|${MATCHERS})?`, 'g');
const WORDS = 'and or unless bool offset sum max min avg count topk by without on ignoring group_left group_right';

export function selectorsIn(expr: string): readonly Selector[] {
  return [...expr.matchAll(TOKEN)].flatMap(([, series, more = '']) =>
    series === undefined || more === '(' || WORDS.split(' ').includes(series) ? [] : [{ series, matchers: more }],
  );
}
/** The labels that a selector asks for. */
export const labelsIn = ({ matchers }: Selector): readonly string[] =>
  [...matchers.matchAll(new RegExp(String.raw`(\w+)\s*(?:=~|!~|!=|=)\s*${TEXT}`, 'g'))].map(([, label = '']) => label);
