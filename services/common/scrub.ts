const SECRET = '[secret]';

const SECRET_NAMES =
  /authorization|api[-_ ]?key|cookie|passw(or)?d|secret|token|session|credential|^dsn$|database_url|redis_url/i;

/** What looks like a secret inside of a text, wherever it came from. */
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${SECRET}`],
  // a JSON web token: two dots, and a header that begins with {"
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, SECRET],
  [/\bds[hk]_\w+/g, SECRET],
  [/\$argon2\w*\$[^\s"']+/g, SECRET],
  // user:password@ of a URL
  [/(\b[a-z][a-z\d+.-]*:\/\/)[^\s/@"']+@/gi, `$1${SECRET}@`],
  [/\b((?:api[-_]?key|passw(?:or)?d|secret|token|cookie)["']?\s*[=:]\s*["']?)[^\s"'&,;})]+/gi, `$1${SECRET}`],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, '[address]'],
];

/** The same value without secrets: by the names of its fields, and by what its texts look like. Never throws. */
export function scrub<Value>(value: Value): Value {
  return cleaned(value, new WeakSet()) as Value;
}

function cleaned(value: unknown, seen: WeakSet<object>): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return undefined; // a circle
  seen.add(value);
  const clean = Array.isArray(value)
    ? value.map(entry => cleaned(entry, seen))
    : Object.fromEntries(
        Object.entries(value).map(([name, entry]) => [name, SECRET_NAMES.test(name) ? SECRET : cleaned(entry, seen)]),
      );
  seen.delete(value); // the same object beside itself is no circle
  return clean;
}

const cleanText = (text: string): string =>
  SECRET_TEXTS.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text);
