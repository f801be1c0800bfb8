// The file of sinks: to whom messages go, about what, and in which form. Addresses and headers are secrets: a fault says
// where it is and what to write, and never what stands there.
import * as z from 'zod';
import { addressIn, mayReach } from './addresses.ts';
import { faultOfTemplate } from './formats.ts';
import { NEWS_KINDS, type NewsKind, USUAL_NEWS } from './news.ts';

export const FORMATS = ['slack', 'cloudevents', 'generic'] as const;

export interface Sink {
  readonly name: string;
  readonly format: (typeof FORMATS)[number];
  readonly url: string;
  readonly on: readonly NewsKind[];
  /** Absent: every namespace that is watched. */
  readonly namespaces?: readonly string[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON with `{{fields}}` in its strings; of the format generic. */
  readonly template?: string | undefined;
}

export interface Sinks {
  /** In every message: which cluster it is about. */
  readonly cluster: string;
  readonly sinks: readonly Sink[];
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Ours, or those of the connection. */
const OWN_HEADERS = /^(?:host|content-.*|connection|transfer-encoding|te|trailer|upgrade|expect|user-agent)$/i;

const headers = z.record(
  z
    .string()
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, { error: 'a header’s name has letters, digits and dashes' })
    .refine(name => !OWN_HEADERS.test(name), { error: 'this header is set by the operator: leave it out' }),
  z.string().regex(/^[ -~]{0,4096}$/, { error: 'write a text in one line, of printable ASCII' }),
  { error: 'write names and values, for example {authorization: Bearer …}' },
);

const newsKind = z.enum([...NEWS_KINDS, '*'], { error: `write some of ${NEWS_KINDS.join(', ')}, or "*" for all` });

const sink = z.strictObject({
  name: z.string({ error: 'write a name of its own' }).regex(/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/, {
    error: 'write at most 40 lower-case letters, digits and dashes',
  }),
  format: z.enum(FORMATS, { error: `write ${FORMATS.slice(0, -1).join(', ')} or ${FORMATS.at(-1)}` }),
  url: z.string({ error: 'write where messages go, https://…' }),
  on: z.array(newsKind, { error: 'write a list' }).min(1, { error: 'write at least one, or leave it out' }).optional(),
  namespaces: z
    .array(z.string().regex(NAMESPACE, { error: 'write the name of a namespace' }), { error: 'write a list' })
    .min(1, { error: 'write at least one, or leave it out for all' })
    .optional(),
  headers: headers.optional(),
  template: z.string({ error: 'write JSON in a string' }).optional(),
  plaintext: z.boolean({ error: 'write true or false' }).optional(),
});

type Written = z.output<typeof sink>;

/** A file that is right, or every fault of it: field, value where that is no secret, remedy. */
export type ParsedSinks =
  | { readonly ok: true; readonly sinks: Sinks }
  | { readonly ok: false; readonly faults: readonly string[] };

const MAX_SINKS = 20;

/** @param allows which addresses a URL may name; names are looked at when they are resolved */
export function parseSinks(content: unknown, allows: (address: string) => boolean = mayReach): ParsedSinks {
  const schema = z.strictObject({
    cluster: z
      .string({ error: 'write a name by which people know this cluster' })
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?$/, {
        error: 'write at most 63 letters, digits, dashes and dots',
      }),
    sinks: z
      .array(
        sink.superRefine((written, context) => check(written, context, allows)),
        { error: 'write a list of sinks' },
      )
      .max(MAX_SINKS, { error: `at most ${MAX_SINKS}` })
      .superRefine((list, context) => {
        for (const [index, { name }] of list.entries())
          if (list.findIndex(other => other.name === name) < index)
            context.addIssue({ code: 'custom', path: [index, 'name'], message: 'another sink has this name' });
      }),
  });
  const read = schema.safeParse(content);
  if (!read.success) return { ok: false, faults: read.error.issues.flatMap(issue => faultsOf(issue, content)) };
  return { ok: true, sinks: { cluster: read.data.cluster, sinks: read.data.sinks.map(made) } };
}

const made = ({
  name,
  format,
  url,
  on = [...USUAL_NEWS],
  namespaces,
  headers: given = {},
  template,
}: Written): Sink => ({
  ...{ name, format, url, namespaces, headers: given, template },
  on: on.includes('*') ? NEWS_KINDS : (on as NewsKind[]),
});

function check(
  { format, url, template, plaintext = false }: Written,
  context: z.core.$RefinementCtx,
  allows: (address: string) => boolean,
): void {
  const fault = (field: keyof Written, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message });
  const wrong = faultOfUrl(url, plaintext, allows);
  if (wrong !== undefined) fault('url', wrong);
  if (format !== 'generic' && template !== undefined)
    fault('template', 'only the format generic has one: leave it out');
  if (format !== 'generic') return;
  const unfit =
    template === undefined
      ? 'the format generic needs one, for example {"text": "{{text}}"}'
      : faultOfTemplate(template);
  if (unfit !== undefined) fault('template', unfit);
}

function faultOfUrl(text: string, plaintext: boolean, allows: (address: string) => boolean): string | undefined {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) return 'write an address, https://…';
  if (url.protocol === 'http:' && !plaintext)
    return 'write https://…; where the way is inside the cluster and nothing secret is sent, http:// with plaintext: true';
  if (url.username !== '' || url.password !== '') return 'write user and password as a header authorization';
  const address = addressIn(url.hostname);
  if (address !== undefined && !allows(address))
    return 'this address is the operator’s own, link-local or a cloud’s: write that of the receiver';
  return undefined;
}

/** Fields whose values may be shown. */
const SHOWN = new Set(['cluster', 'name', 'format', 'on', 'namespaces', 'plaintext']);

function faultsOf(issue: z.core.$ZodIssue, content: unknown): string[] {
  const where = issue.path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}${text === '' ? '' : '.'}${String(part)}`),
    '',
  );
  if (issue.code === 'unrecognized_keys') {
    const known = issue.path.length === 0 ? ['cluster', 'sinks'] : Object.keys(sink.shape);
    return issue.keys.map(
      key => `${where}${where === '' ? '' : '.'}${shortened(key)}: is not known; there are ${known.join(', ')}`,
    );
  }
  if (issue.path.length === 0) return ['write a mapping with cluster and sinks'];
  const field = issue.path.find(part => typeof part === 'string' && part !== 'sinks');
  const value = issue.path.reduce<unknown>(
    (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
    content,
  );
  // of a record's key the message is one level below
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  const isShown = SHOWN.has(String(field)) && value !== undefined && typeof value !== 'object';
  return [`${where}${isShown ? `=${JSON.stringify(shortened(String(value)))}` : ''}: ${message}`];
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text);

/** Whether a sink is told. */
export const wants = ({ on, namespaces }: Sink, kind: NewsKind, namespace: string): boolean =>
  on.includes(kind) && (namespaces?.includes(namespace) ?? true);
