// PURE: what was read -> one text for a ticket. Whoever gets it is not whom the secrets are for: no value of a Secret, a
// ConfigMap or an environment variable is in it, and what looks like a secret, or is an e-mail address, is replaced.
import { plain } from '../safe.ts';

export type Section = { readonly title: string; readonly lines: readonly string[]; readonly unread?: string };

/** Values that are whatever their writer put there. */
const VALUES: readonly string[] = ['env', 'extraEnv', 'headers', 'httpHeaders'];
const CONTENTS: readonly string[] = ['data', 'stringData', 'binaryData'];
/** Copies of whole objects, as text. */
const COPIES = /last-applied-configuration$|^devshelf\.dev\/applied$/;

const EMAIL = /[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu;

/** One line, safe to give away. */
export const shared = (line: string): string => plain(line).replaceAll(EMAIL, '…@…');

/** The same of an object: without values, and without who manages which field. */
export function redacted(object: unknown): unknown {
  return mapped(withoutContents(object), '');
}

/** Of a Secret or ConfigMap the keys and how long each value is. */
function withoutContents(object: unknown): unknown {
  if (!isObject(object) || (object['kind'] !== 'Secret' && object['kind'] !== 'ConfigMap')) return object;
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      name,
      CONTENTS.includes(name) && isObject(value) ? sizes(value) : value,
    ]),
  );
}

const sizes = (data: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, hidden(value)]));

const hidden = (value: unknown): string => `(${String(value).length} characters)`;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function mapped(value: unknown, under: string): unknown {
  if (typeof value === 'string') return shared(value);
  if (Array.isArray(value)) return value.map(item => mapped(VALUES.includes(under) ? nameOnly(item) : item, ''));
  if (!isObject(value)) return value;
  const fields = Object.entries(value)
    .filter(([name]) => name !== 'managedFields' && !COPIES.test(name))
    .map(([name, one]) => [shared(name), VALUES.includes(name) && isObject(one) ? sizes(one) : mapped(one, name)]);
  return Object.fromEntries(fields);
}

const nameOnly = (item: unknown): unknown =>
  isObject(item) && 'value' in item ? { ...item, value: hidden(item['value']) } : item;

/** `at`: RFC 3339. */
export function reportText(sections: readonly Section[], at: string): string {
  const missing = sections.filter(({ unread }) => unread !== undefined);
  const first = [
    `kubectl devshelf report, ${at}`,
    '',
    'Values of Secrets, ConfigMaps and environment variables are not in it; what looks like a secret, and e-mail addresses,',
    'are replaced. Names of objects, images, hosts and routes are: read it before you give it away.',
    '',
    'Sections:',
    ...sections.map(({ title, lines }) => `  ${title} (${lines.length} lines)`),
    ...(missing.length > 0
      ? ['', 'Missing:', ...missing.map(({ title, unread = '' }) => `  ${title}: ${unread}`)]
      : []),
  ];
  const rest = sections.flatMap(({ title, lines, unread }) => [
    ...['', `===== ${title} =====`, ''],
    ...(unread === undefined ? [] : [`(${unread})`]),
    ...lines,
  ]);
  return `${[...first, ...rest].map(shared).join('\n')}\n`;
}
